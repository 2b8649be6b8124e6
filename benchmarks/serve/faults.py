"""Faults under load, at full size: ``python -m benchmarks.serve.faults``.

A thousand models are taken over while clients ask without pause, then workers are killed with
kill -9 while clients ask the others. Exits with 1 if a request fails that should not: a request
that a killed worker had in hand is lost, and no other.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.support.serve_models import HEART_ROW, write_heart, write_housing, write_other_heart
from tests.support.serving import Load, server_process

CLIENTS = 4


def reload_often(models: Path, count: int) -> bool:
    """Put one model after another in place under load; say whether every request was answered."""
    versions: set[str] = set()
    with server_process(models, reload="false") as server:
        start = time.perf_counter()
        with Load(f"{server.url}/predict/heart", HEART_ROW, clients=CLIENTS) as load:
            for number in range(count):
                versions.add(write_other_heart(models, 1.0 + number / count))
                told = httpx.post(f"{server.url}/admin/reload", timeout=60).json()["tasks"]
                if told["heart"] != "served":
                    sys.exit(f"reload {number} was {told['heart']}")
        seconds = time.perf_counter() - start
    failed = sum(status != 200 for status in load.answered) + len(load.lost)
    answered = len(load.answered)
    print(
        f"{count:,} reloads of {len(versions):,} versions in {seconds:.0f} s: "
        f"{answered:,} requests, {failed} failed"
    )
    return failed == 0


def kill_workers(models: Path, kills: int) -> bool:
    """Kill one of several workers again and again; say whether the others lost nothing."""
    with server_process(models, workers="3") as server:
        start = time.perf_counter()
        with Load(f"{server.url}/predict/heart", HEART_ROW, clients=CLIENTS) as load:
            for _ in range(kills):
                workers = server.workers()
                os.kill(workers[0], signal.SIGKILL)
                time.sleep(1)  # uvicorn starts another
        seconds = time.perf_counter() - start
    failed = sum(status != 200 for status in load.answered)
    print(
        f"{kills} times one of 3 workers killed, in {seconds:.0f} s: {len(load.answered):,} "
        f"requests, {failed} failed, {len(load.lost)} lost with the workers that had them"
    )
    return failed == 0 and len(load.lost) <= kills * CLIENTS


def main() -> None:
    """Print what was done and what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reloads", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write_heart(Path(name))
        write_housing(Path(name))
        sound = [
            reload_often(Path(name), given.reloads),
            kill_workers(Path(name), given.kills),
        ]
    sys.exit(0 if all(sound) else 1)


if __name__ == "__main__":
    main()
