"""Logs the tables that a run read as MLflow's datasets: name, digest, source, columns, rows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from commands.registry.artifact import make_signature
from commands.registry.results import TaskResults
from commands.registry.store import Registry
from stages.evaluating.content import Candidate
from stages.shared.storage import sha256

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Run

CONTEXTS = {"train": "training", "validation": "training", "test": "testing"}
DIGEST = 32  # characters of the table's SHA-256; MLflow takes 36


@dataclass(frozen=True)
class Table:
    """A split of the task's prepared table."""

    name: str
    split: str
    path: Path
    digest: str

    @classmethod
    def of(cls, task: str, split: str) -> "Table":
        path = Path("data/prepared", task, f"{split}.parquet")
        return cls(f"{task}-{split}", split, path, sha256(path)[:DIGEST])


def log_datasets(
    registry: Registry, run: "Run", found: TaskResults, candidate: Candidate
) -> dict[str, Table]:
    """Log the tables of a run, and return them by split; only the champion saw the test rows."""
    splits = CONTEXTS if found.is_champion(candidate) else ("train", "validation")
    tables = {split: Table.of(found.task, split) for split in splits}
    registry.client.log_inputs(run.info.run_id, [*_to_inputs(found, tables)])
    return tables


def _to_inputs(found: TaskResults, tables: dict[str, Table]) -> Iterator["DatasetInput"]:
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    schema = make_signature(found.manifest).inputs.to_dict()
    for split, table in tables.items():
        rows = pq.read_metadata(table.path).num_rows
        dataset = Dataset(
            name=table.name,
            digest=table.digest,
            source_type="local",
            source=json.dumps({"uri": table.path.as_posix()}),
            schema=json.dumps({"mlflow_colspec": schema}),
            profile=json.dumps({"num_rows": rows, "num_elements": rows * len(schema)}),
        )
        yield DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, CONTEXTS[split])])
