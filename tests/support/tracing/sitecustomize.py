"""Loaded by Python at start when this folder is on PYTHONPATH: notes every file a stage opens.

Each line of the log is the stage's name, ``read`` or ``write``, and the path, separated by tabs.
"""

import os
import sys
from typing import Any


def start(stage: str, log: str) -> None:
    root = os.getcwd()
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            writes = bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if path.startswith(root + os.sep):
                mode = "write" if writes else "read"
                line = f"{stage}\t{mode}\t{os.path.relpath(path, root)}\n"
                os.write(file, line.encode())

    sys.addaudithook(note)


# `dvc` itself carries no DVC_STAGE; the processes that it starts for a stage do.
if "DVC_STAGE" in os.environ and "TRACE_LOG" in os.environ:
    start(os.environ["DVC_STAGE"], os.environ["TRACE_LOG"])
