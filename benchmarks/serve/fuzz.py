"""Asks a server what its document allows, and what not: ``python -m benchmarks.serve.fuzz``.

First bodies broken at random go straight into the application; then schemathesis, with every check
on, asks a real server about one operation after another. Exits with 1 where an answer is not as it
should be. ``--only '^POST /v2'`` asks the operations whose method and path match, and no bodies.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from serve.http.app import create_app
from serve.http.settings import Settings
from tests.support.explained_models import write_explained_heart
from tests.support.fuzzing import fuzz, targets
from tests.support.serving import Server, server_process

ROOT = Path(__file__).parents[2]
SETTINGS = {"reload": "false", "default_task": "heart"}
GENERATED = re.compile(r"\d+ generated, .*")


def operations(server: Server) -> list[str]:
    """Return every operation of the document, such as ``POST /predict``."""
    paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


def ask(server: Server, cases: int, seed: int, *options: str) -> "subprocess.CompletedProcess[str]":
    """Let schemathesis ask about every operation, up to ``cases`` random times each."""
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
        "PYTHONPATH": str(ROOT),
    }
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file"),
        *(str(ROOT / "tests/support/schemathesis.toml"), "run", f"{server.url}/openapi.json"),
        *("--checks", "all", "--max-examples", str(cases), "--seed", str(seed), "--no-color"),
        *("--phases", "coverage,fuzzing", *options),
    ]
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, check=False
        )


def ask_each(models: Path, cases: int, seed: int, only: str) -> bool:
    """Print what came of each operation; tell whether all kept what the document says."""
    is_sound = True
    with server_process(models, **SETTINGS) as server:
        for name in filter(re.compile(only).search, operations(server)):
            start = time.perf_counter()
            done = ask(server, cases, seed, "--include-name", name)
            seconds, told = time.perf_counter() - start, GENERATED.search(done.stdout)
            print(f"{name}: {told[0] if told else 'nothing'} in {seconds:.0f} s", flush=True)
            if done.returncode or not told:
                is_sound = False
                print(done.stdout, done.stderr, flush=True)
    return is_sound


def break_bodies(models: Path, cases: int, seed: int) -> Counter[int]:
    """Send ``cases`` broken bodies to each route that takes one; return how often which status."""
    app = create_app(Settings(models_dir=models, reload=False))
    statuses: Counter[int] = Counter()
    for sent in fuzz(app, cases * len(targets()), seed):
        if not sent.is_sound:
            sys.exit(f"{sent.target.path} answered {sent.status} to {sent.body!r}: {sent.answer!r}")
        statuses[sent.status] += 1
    return statuses


def main() -> None:
    """Print what was asked and answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="for each operation and route")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="a regular expression; without it all are asked")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        write_explained_heart(models)
        start = time.perf_counter()
        statuses = Counter() if given.only else break_bodies(models, given.cases, given.seed)
        seconds = time.perf_counter() - start
        print(
            f"{statuses.total():,} broken bodies, {seconds:.0f} s: {dict(sorted(statuses.items()))}"
        )
        is_sound = ask_each(models, given.cases, given.seed, given.only)
    sys.exit(0 if is_sound else 1)


if __name__ == "__main__":
    main()
