"""Ends a stage when the process that started it is gone.

Killing DVC leaves the stage it runs alive, and the next ``dvc repro`` would start a second one on
the same outputs. ``dvc.yaml`` starts each stage with ``exec``, so the stage's parent is DVC itself.
"""

import os
import signal
import threading
import time

SECONDS_BETWEEN_LOOKS = 0.2


def hold() -> None:
    """Watch the parent process from a background thread for as long as this process lives."""
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True, name="lifeline").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent and not _is_adopted_by(parent):
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGKILL)


def _is_adopted_by(parent: int) -> bool:
    """Whether the real parent was gone before the watch began: a parent shares its session."""
    session = os.getsid(0)
    try:
        return session not in (os.getpid(), os.getsid(parent))
    except ProcessLookupError:
        return True
