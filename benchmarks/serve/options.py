"""What options cost a request: ``python -m benchmarks.serve.options``.

The application answers in this process, in interleaved rounds: as it is, with CORS for a page of a
named origin, and with the prediction log, whose thread counts as well. Each option's median ratio
to the plain round beside it is printed; CPU time, without the parsing that uvicorn adds to all.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serve.http.app import Service, create_app
from serve.http.settings import Settings
from tests.support.serve_models import HEART_ROW, write_heart

ORIGIN = "https://page.example"
BODY = json.dumps(HEART_ROW).encode()


def list_options(folder: Path) -> Mapping[str, dict[str, Any]]:
    """Return the settings of each way, the plain one first."""
    return {
        "plain": {},
        "cors": {"cors_origins": (ORIGIN,)},
        "log": {"prediction_log": folder / "log"},
        "both": {"cors_origins": (ORIGIN,), "prediction_log": folder / "both"},
    }


async def answer_many(app: Service, count: int) -> None:
    """Let the application answer ``count`` requests."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message

    headers = [
        (b"host", b"x"), (b"origin", ORIGIN.encode()), (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(BODY)),
    ]  # fmt: skip
    for _ in range(count):
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/predict/heart",
            "headers": headers,
        }
        scope |= {"state": {}, "client": ("127.0.0.1", 1), "query_string": b"", "app": app}
        await app(scope, receive, send)


def wait_until_logged(app: Service) -> None:
    """Wait for the log's thread, so that its work counts for this round."""
    log = app.shared.prediction_log
    while log and log.waiting:
        time.sleep(0.01)


def measure_round(runner: asyncio.Runner, app: Service, count: int) -> float:
    """Return the CPU time of a request in microseconds."""
    start = time.process_time()
    runner.run(answer_many(app, count))
    wait_until_logged(app)
    return (time.process_time() - start) / count * 1e6


def measure(rounds: int, count: int) -> dict[str, list[float]]:
    """Return the CPU times of all rounds, by option; the first round warms up."""
    costs: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name, asyncio.Runner() as runner:
        folder = Path(name)
        write_heart(folder / "models")
        apps = {
            option: create_app(Settings(models_dir=folder / "models", reload=False, **settings))
            for option, settings in list_options(folder).items()
        }
        spans = [app.router.lifespan_context(app) for app in apps.values()]
        for span in spans:
            runner.run(span.__aenter__())
        for number in range(rounds + 1):
            for option, app in apps.items():
                taken = measure_round(runner, app, count)
                if number:
                    costs.setdefault(option, []).append(taken)
        for span in spans:
            runner.run(span.__aexit__(None, None, None))
    return costs


def main() -> None:
    """Print each option's cost, and its ratio to the plain way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--requests", type=int, default=4_000)
    given = parser.parse_args()
    costs = measure(given.rounds, given.requests)
    for option, found in costs.items():
        ratios = [one / other for one, other in zip(found, costs["plain"], strict=True)]
        print(f"{option}: {statistics.median(found):.1f} µs, {statistics.median(ratios):.2f} x")


if __name__ == "__main__":
    main()
