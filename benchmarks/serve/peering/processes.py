"""Starts a peer, measures the whole tree of its processes, and leaves none of them behind."""

import os
import shlex
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks import processes
from benchmarks.serve.load import Server
from benchmarks.serve.peering.peer import Peer

ROOT = Path(__file__).parents[3]
START_SECONDS = 120
QUIET = {
    "BENTOML_DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}


@contextmanager
def started(peer: Peer, command: str, programs: Path, log: Path, port: int) -> Iterator[Server]:
    """Run a peer until the block ends; raises OSError with the end of its log if it does not start.

    It has a session of its own, of which nothing is left afterwards.
    """
    environment = {**os.environ, **QUIET, "PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    began = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(
            shlex.split(f"env {command}"),
            cwd=log.parent, env=environment, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait(url + peer.ready, process, log)
        yield Server(peer.name, process.pid, url + peer.path, time.perf_counter() - began)
    finally:
        stop(process)


def wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise OSError(f"it does not start: {log.read_text(errors='replace')[-1_500:]}")


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask the server to end, then kill what is left of it, by the numbers of its processes."""
    left = [*processes.tree(process.pid)] if process.poll() is None else []
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in left[1:]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
