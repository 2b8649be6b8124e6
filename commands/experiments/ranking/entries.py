"""What each state's candidates scored, read from the ``evaluation.json`` that its lock file names.

Nothing is checked out: the objects come from DVC's cache.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from commands.experiments.ranking.history import State
from commands.shared.trees import find_changes, flatten, join_key
from commands.workspace.lockfile import list_output_hashes, read_stages

EVALUATE, RESULT, PARAMS = "evaluate-", "evaluation.json", "params.yaml"


@dataclass(frozen=True)
class Entry:
    """A candidate of one task in one state. ``test`` is the champion's only: value, low, high.

    ``beats_baseline`` is whether the test showed that; True where nobody asked.
    """

    task: str
    metric: str
    higher_is_better: bool
    model: str
    mean: float
    error: float | None
    test: tuple[float, float | None, float | None] | None
    rows: int
    confidence: float
    state: State
    changes: tuple[str, ...]
    beats_baseline: bool = True


def collect_entries(found: Iterable[State], cache: Path) -> tuple[list[Entry], int]:
    """Return every candidate once, in the first state that has it, and how many results lack.

    A result lacks where the cache does not have it.
    """
    known: set[str] = set()
    listed, lacking = list[Entry](), 0
    for state in found:
        evaluations, absent = read_evaluations(state, cache)
        lacking += absent
        for evaluation in evaluations:
            listed += _list_new_entries(evaluation, state, known)
    return listed, lacking


def read_evaluations(state: State, cache: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the results that a state's ``dvc.lock`` names, and how many the cache lacks."""
    paths = [cache / digest[:2] / digest[2:] for digest in _list_results(state)]
    found = [json.loads(path.read_bytes()) for path in paths if path.exists()]
    return found, len(paths) - len(found)


def _list_results(state: State) -> Iterator[str]:
    """Yield the hash of each task's result that a state's ``dvc.lock`` names."""
    for entry in read_stages(state.read, prefix=EVALUATE).values():
        hashes = list_output_hashes(entry).items()
        yield from (digest for path, digest in hashes if path.endswith(f"/{RESULT}"))


def _list_new_entries(evaluation: dict[str, Any], state: State, known: set[str]) -> Iterator[Entry]:
    test = evaluation["test"]
    value = test["metrics"][evaluation["metric"]]
    for candidate in evaluation["candidates"]:
        of = [evaluation["task"], evaluation["metric"], candidate["model"]]
        key = json.dumps([of, candidate["scores"], candidate["trained"]])
        if key in known:
            continue
        known.add(key)
        yield Entry(
            task=evaluation["task"],
            metric=evaluation["metric"],
            higher_is_better=evaluation["higher_is_better"],
            model=candidate["model"],
            mean=candidate["mean"],
            error=candidate["standard_error"],
            test=(value["value"], value["low"], value["high"]) if candidate["chosen"] else None,
            rows=test["rows"],
            confidence=test["confidence"],
            state=state,
            changes=tuple(read_changes(state)),
            beats_baseline=_beats_baseline(test),
        )


def _beats_baseline(test: dict[str, Any]) -> bool:
    found = test.get("over_baseline")
    return not found or (found["low"] is not None and found["low"] > 0)


def read_changes(state: State) -> Iterator[str]:
    """Yield each parameter that a state sets otherwise than the commit it is based on."""
    if state.commit == state.base:
        return
    here, there = (
        flatten(YAML(typ="safe").load(one.read(PARAMS)) or {})
        for one in (state, State("", state.base, state.base, ""))
    )
    for key, value in find_changes(here, there).items():
        yield f"{join_key(key)}={value}"
