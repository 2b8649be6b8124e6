"""A raw file held against a shipped contract as `prepare` and `validate` do it, in one process."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from stages.composing.config import compose_params, read_yaml
from stages.contract.source import Origin
from stages.contract.task import Task
from stages.prepare import PrepareParams, cast_table, raw_columns
from stages.preparing.parsing import read_column_names, read_raw
from stages.preparing.splitting import assign_splits
from stages.shared.schema import SPLITS
from stages.validating.checks import run_checks
from stages.validating.findings import Finding
from stages.validating.prepared import Prepared, Unparsed
from stages.validating.spreads import Statistics
from stages.validating.statistics import compute_statistics


@cache
def read_shipped(task: str) -> Any:
    return read_yaml(compose_params())["task"][task]


def read_sample(task: str) -> pd.DataFrame:
    """Return the sample's cells, all of them as text."""
    path = read_shipped(task)["sources"]["sample"]["path"]
    return pd.read_csv(path, dtype=str, na_filter=False)


def prepare_table(
    task: str, path: Path, accepted: Statistics | None = None, **contract: Any
) -> Prepared:
    """Read, type and split a file as the task's contract, changed by ``contract``, says."""
    source = contract.pop("origin", {})
    content = {**read_shipped(task), **contract, "origin": {"path": str(path), **source}}
    declared = Task.parse(content, task)
    params = PrepareParams.model_construct(**{k: getattr(declared, k) for k in KEYS})
    origin = Origin.parse(content["origin"], task)
    wanted = raw_columns(params)
    raw = read_raw(origin, wanted, f"conf/task/{task}.yaml, sources")
    frame, unparsed = cast_table(raw, params)
    places = assign_splits(frame[list(declared.columns)], raw, declared.split)
    return Prepared.from_splits(
        {name: frame[places == name] for name in SPLITS},
        task=task,
        columns=declared.columns,
        target=declared.target,
        split=declared.split,
        unparsed={name: Unparsed.parse(cells, name) for name, cells in unparsed.items()},
        header=tuple(read_column_names(origin, wanted, task)),
        ignored=(*declared.ignored, *declared.slices),
        checks=declared.checks,
        accepted=accepted,
        source="sample",
    )


KEYS = (
    "origin",
    "columns",
    "derived",
    "target",
    "slices",
    "split",
    "on_bad_rows",
    "max_bad_row_share",
)


@cache
def read_accepted(task: str) -> Statistics:
    return compute_statistics(
        prepare_table(task, Path(read_shipped(task)["sources"]["sample"]["path"]))
    )


def list_findings(task: str, folder: Path, text: str | bytes, **contract: Any) -> list[Finding]:
    """Return what is found in a file of this content, held against the accepted sample."""
    path = folder / "table.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return run_checks(prepare_table(task, path, read_accepted(task), **contract))


def as_csv(frame: pd.DataFrame, **how: Any) -> str:
    text = io.StringIO()
    frame.to_csv(text, index=False, **how)
    return text.getvalue()
