"""Tries odd tasks, requests and clients at random: ``python -m benchmarks.serve.odd``.

Each round writes a task whose columns, labels and values have odd names. Its rows are answered in
every way and compared with numpy, broken requests must be refused with a reason, and clients of a
real server send halves, floods and offers over sockets, between which a plain request is answered.
Ends with the seed of the first failure, of which ``--seed`` begins again.
"""

import argparse
import asyncio
import json
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from serve.http.app import create_app
from serve.http.settings import Settings
from tests.support.odd_tasks import (
    OddTask,
    break_request,
    check_answers,
    make_row,
    make_task,
)
from tests.support.serving import Server, server_process

ROWS, BROKEN = 5, 100  # times that rows are compared, and broken requests, of each task
CLIENTS = 30  # of each task, over sockets
EVERY = 20  # tasks of which one is served by a process of its own
SECONDS = 20.0  # that a client waits for an answer, or for its connection's end


async def try_task(models: Path, task: OddTask, rng: random.Random) -> Counter[int]:
    """Ask an application in this process; return how often which status came."""
    app, statuses = create_app(Settings(models_dir=models, reload=False)), Counter[int]()
    async with app.router.lifespan_context(app):
        if not app.shared.catalog.is_ready:
            raise AssertionError(app.shared.catalog.refused)
        for _ in range(ROWS):
            statuses[200] += await check_answers(app, task, rng)
        for _ in range(BROKEN):
            statuses[await break_request(app, task, rng)] += 1
    return statuses


def make_bytes(task: OddTask, rng: random.Random) -> bytes:
    """Return what a client sends: a request that is broken, cut, doubled, or flooded."""
    body = json.dumps(make_row(rng, task)).encode()
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\n" if rng.random() < 0.3 else b""
    head = b"POST /predict/odd HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + offer
    sent = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    match rng.randrange(5):
        case 0:
            return sent[: rng.randrange(len(sent))]
        case 1:
            return sent * rng.randint(2, 5)
        case 2:
            return head + b"X-Flood: " + b"a" * rng.randrange(1 << 20)
        case 3:
            place = rng.randrange(len(sent))
            return sent[:place] + rng.randbytes(rng.randint(1, 20)) + sent[place:]
        case _:
            return sent


def try_clients(server: Server, task: OddTask, rng: random.Random) -> None:
    """Send odd bytes; each connection ends in time, without a failure, and others are answered."""
    row = json.dumps(make_row(rng, task)).encode()
    good = (
        b"POST /predict/odd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(row)
    ) + row
    with ThreadPoolExecutor(CLIENTS) as pool:
        odd = [pool.submit(exchange, server.port, make_bytes(task, rng)) for _ in range(CLIENTS)]
        for _ in odd:
            found = exchange(server.port, good)
            if not found.startswith(b"HTTP/1.1 200"):
                raise AssertionError("a plain request is not answered any more", found)
        for answer in odd:
            if b"HTTP/1.1 5" in answer.result():
                raise AssertionError(answer.result())


def exchange(port: int, content: bytes) -> bytes:
    """Send bytes and return what comes back; raises TimeoutError where there is no end."""
    found = b""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
        try:
            client.sendall(content)
            while part := client.recv(1 << 16):
                found += part
        except (BrokenPipeError, ConnectionResetError):
            pass
    return found


def try_seed(seed: int) -> Counter[int]:
    """Make and try one task; raises AssertionError or TimeoutError where something is wrong."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        task = make_task(rng, Path(name))
        statuses = asyncio.run(try_task(Path(name), task, rng))
        if seed % EVERY == 0:
            limits = {"header_seconds": "2", "body_seconds": "2"}
            with server_process(Path(name), reload="false", **limits) as server:
                try_clients(server, task, rng)
    return statuses


def main() -> None:
    """Print what came of it, now and then and in the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3_600.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    end, seed, statuses = time.monotonic() + given.seconds, given.seed, Counter[int]()
    while time.monotonic() < end:
        try:
            statuses += try_seed(seed)
        except (AssertionError, TimeoutError, ValueError, KeyError) as error:
            sys.exit(f"seed {seed}: {type(error).__name__}: {error}")
        seed += 1
        if seed % 100 == 0:
            print(f"{seed - given.seed:,} tasks: {dict(sorted(statuses.items()))}", flush=True)
    print(f"{seed - given.seed:,} tasks: {dict(sorted(statuses.items()))}")


if __name__ == "__main__":
    main()
