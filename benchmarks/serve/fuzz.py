"""Asks a real server what its OpenAPI document allows, and what it does not: ``python -m
benchmarks.serve.fuzz --cases 10000``. schemathesis has every check on; then come bodies broken at
random, straight into the application. Exits with 1 where an answer is not as it should be.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from serve.app import create_app
from serve.settings import Settings
from tests.explained_models import write_explained_heart
from tests.fuzzing import fuzz, targets
from tests.serving import server_process

ROOT = Path(__file__).parents[2]


def ask(models: Path, cases: int, seed: int) -> "subprocess.CompletedProcess[str]":
    """Let schemathesis ask a server about every operation, up to ``cases`` times each."""
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks",
        "PYTHONPATH": str(ROOT),
    }
    with server_process(models, reload="false", default_task="heart") as server:
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file"),
            *(str(ROOT / "tests/schemathesis.toml"), "run", f"{server.url}/openapi.json"),
            *("--checks", "all", "--max-examples", str(cases), "--seed", str(seed), "--no-color"),
            *("--phases", "coverage,fuzzing"),
        ]
        with tempfile.TemporaryDirectory() as folder:
            return subprocess.run(
                command, env=environment, cwd=folder, capture_output=True, text=True, check=False
            )


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
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        write_explained_heart(models)
        start = time.perf_counter()
        statuses = break_bodies(models, given.cases, given.seed)
        seconds = time.perf_counter() - start
        print(
            f"{statuses.total():,} broken bodies, {seconds:.0f} s: {dict(sorted(statuses.items()))}"
        )
        done = ask(models, given.cases, given.seed)
    print(done.stdout, done.stderr)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
