"""Requests a second and CPU per request of the service, against the bare server that runs it.

``MODELS_DIR=models python -m benchmarks.serve.load heart``: interleaved rounds of wrk over loopback
(32 connections, one worker), which is in Debian's package of that name. CPU time is the server
process's own, and that of what it starts, from /proc.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import processes

CONNECTIONS = 32
MANY = 64  # rows of the larger request
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
"""


@dataclass
class Server:
    """A server process, with what each round of load has measured."""

    name: str
    pid: int
    url: str
    seconds_to_ready: float
    rates: list[float] = field(default_factory=list)  # requests a second
    costs: list[float] = field(default_factory=list)  # microseconds of CPU a request

    @property
    def cpu_seconds(self) -> float:
        return processes.cpu_seconds(self.pid)

    @property
    def megabytes(self) -> float:
        return processes.megabytes(self.pid)


@contextmanager
def running(name: str, application: str, port: int, path: str) -> Iterator[Server]:
    """Serve an application with uvicorn until the block ends."""
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port)]
    start = time.perf_counter()
    options = ["--no-access-log", "--log-level", "warning"]
    process = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url + "/ready", process)
        yield Server(name, process.pid, url + path, time.perf_counter() - start)
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Return when the server answers; exit if it has ended."""
    while process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.005)
        else:
            return
    sys.exit(f"{url} is not served: the server ended with {process.returncode}")


def press(server: Server, script: Path, seconds: float) -> None:
    """Send requests without pause, and note what they cost."""
    before = server.cpu_seconds
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--timeout", "30s", "-s", str(script)]
    told = subprocess.run(["wrk", *options, server.url], capture_output=True, text=True, check=True)
    if "Non-2xx" in told.stdout or "Socket errors" in told.stdout:
        sys.exit(f"{server.name} refused or lost requests: {told.stdout}")
    requests, rate = (
        float(found[1])
        for found in (
            re.search(r"(\d+) requests in", told.stdout),
            re.search(r"Requests/sec:\s+([\d.]+)", told.stdout),
        )
        if found
    )
    server.rates.append(rate)
    server.costs.append((server.cpu_seconds - before) / requests * 1e6)


def compare(rows: object, task: str, rounds: int, seconds: float, port: int) -> None:
    """Print both servers' figures for one body: medians over the rounds."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        body, script = Path(folder, "body.json"), Path(folder, "post.lua")
        body.write_text(json.dumps(rows))
        script.write_text(SCRIPT.format(body=body))
        bare, serve = (
            stack.enter_context(running(name, application, port + number, f"/predict/{task}"))
            for number, (name, application) in enumerate(
                [("bare", "benchmarks.serve.bare:app"), ("serve", "serve.http.app:app")]
            )
        )
        for _ in range(rounds):
            for server in (bare, serve):
                press(server, script, seconds)
        for server in (bare, serve):
            print(
                f"| {server.name} | {statistics.median(server.rates):,.0f} "
                f"| {statistics.median(server.costs):.0f} | {server.seconds_to_ready:.2f} "
                f"| {server.megabytes:.0f} |"
            )
        ratios = [ours / limit for ours, limit in zip(serve.rates, bare.rates, strict=True)]
        print(f"requests/s against bare: {statistics.median(ratios):.2f}\n")


def main() -> None:
    """Measure one row, then many rows a request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--port", type=int, default=9100)
    given = parser.parse_args()
    folder = Path(os.environ.get("MODELS_DIR") or "models", given.task)
    row = json.loads((folder / "manifest.json").read_text())["golden"][0]["input"]
    for rows in (row, [row] * MANY):
        print(f"{len(rows) if isinstance(rows, list) else 1} row(s) a request")
        print("| server | requests/s | CPU µs a request | s to ready | MB |\n|---|--:|--:|--:|--:|")
        compare(rows, given.task, given.rounds, given.seconds, given.port)


if __name__ == "__main__":
    main()
