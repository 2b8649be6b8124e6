"""Notes how long stages took, beside what is hashed: a report tells from it what was saved."""

import json
import shlex
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.shared.storage import write_json

FOLDER = Path("data/measured/seconds")
MODULE = "stages."  # what stands before the verb in a stage's command


@contextmanager
def time_stage(words: Iterable[str]) -> Iterator[None]:
    """Note the wall-clock seconds of what is done inside, unless it ends with an error.

    ``words`` are the stage's verb and its arguments.
    """
    began = time.monotonic()
    yield
    write_json(_locate_file(words), round(time.monotonic() - began, 2))


def read_seconds(command: str) -> float | None:
    """Return how long a stage's command took when it last ran here; None if it never did."""
    verb, *words = shlex.split(command.rpartition(MODULE)[2]) or [""]
    path = _locate_file([verb, *words])
    return float(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def _locate_file(words: Iterable[str]) -> Path:
    return FOLDER / f"{'-'.join(words).replace('/', '-')}.json"
