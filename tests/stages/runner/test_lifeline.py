"""A stage ends when its parent is gone, and lives as long as it is there: with real processes."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# The child tells its process id and then works on; whoever reads its output sees when it ends.
CHILD = """
import os, sys, time
from stages.runner import lifeline
{before}
lifeline.hold()
print(os.getpid(), flush=True)
{work}
print("finished", flush=True)
"""
PARENT = """
import subprocess, sys
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[1]]).returncode)
"""
WORK = {
    "asleep": "time.sleep(60)",
    "computing": "end = time.time() + 60\nwhile time.time() < end: pass",
    "ignoring signals": "import signal\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\n"
    "time.sleep(60)",
    "in a thread": "import threading\nt = threading.Thread(target=time.sleep, args=(60,))\n"
    "t.start(); t.join()",
}  # fmt: skip


def start(parent: str, work: str, before: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", parent, CHILD.format(work=work, before=before)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )


def output_ends_within(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether every process that holds the output's other end is gone in time."""
    assert process.stdout is not None
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([process.stdout], [], [], left)
        if ready and not os.read(process.stdout.fileno(), 4096):
            return True
    return False


def finish(process: subprocess.Popen[str]) -> None:
    """End what a failed test has left: the session is this test's own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait(10)


@pytest.mark.parametrize("work", WORK.values(), ids=WORK.keys())
@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_dies_within_two_seconds_of_its_parent(
    work: str, with_signal: signal.Signals
) -> None:
    parent = start(PARENT, work)
    try:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) != parent.pid
        parent.send_signal(with_signal)
        assert output_ends_within(parent, 2)
    finally:
        finish(parent)


def test_a_child_whose_parent_was_gone_before_it_looked_dies_too() -> None:
    """DVC may be killed while the stage still imports its libraries."""
    gone_at_once = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]])"
    parent = start(gone_at_once, "time.sleep(60)", before="time.sleep(1)")
    try:
        parent.wait(10)
        assert output_ends_within(parent, 5)
    finally:
        finish(parent)


def test_a_child_lives_as_long_as_its_parent() -> None:
    parent = start(PARENT, "time.sleep(1)")
    try:
        output, _ = parent.communicate(timeout=20)
        assert output.endswith("finished\n")
        assert parent.returncode == 0
    finally:
        finish(parent)


def test_a_stage_that_starts_a_session_of_its_own_lives() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(work="time.sleep(0.7)", before="")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=20)
        assert output.endswith("finished\n")
    finally:
        finish(process)
