"""One task as one snapshot has it, each part read when it is first asked for."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from commands.review.snapshot import Snapshot
from commands.review.store import MissingError
from stages.contract.task import Task
from stages.evaluating.candidates import OutOfFold, arrange
from stages.evaluating.content import Known, Tested
from stages.evaluating.metrics import DecisionRule
from stages.shared.frozen import Items
from stages.shared.schema import ROW, SPLITS, Schema
from stages.validating.prepared import PLACE

PREPARED = "data/prepared/{task}"
EVALUATED = "data/evaluated/{task}"
EVALUATION = f"{EVALUATED}/evaluation.json"
OUT_OF_FOLD = "data/candidates/{task}/{model}/out_of_fold.parquet"
STATISTICS = "data/validated/{task}/statistics.json"
FILES = (
    *(f"{PREPARED}/{split}.parquet" for split in SPLITS),
    f"{PREPARED}/schema.json",
    EVALUATION,
    f"{EVALUATED}/predictions.parquet",
    STATISTICS,
)


class Candidate(Known):
    """A model's cross-validated score."""

    model: str
    mean: float
    standard_error: float | None
    chosen: bool


class Evaluation(Tested):
    """What a report reads of ``evaluation.json``."""

    candidates: Items[Candidate]


@dataclass(frozen=True)
class Side:
    """A task on one side; every property raises PipelineError where its files cannot be used."""

    task: str
    snapshot: Snapshot

    @property
    def contract(self) -> Task:
        where = f"params.yaml of {self.snapshot.name}"
        return Task.parse(self.snapshot.params["task"][self.task], where)

    @cached_property
    def schema(self) -> Schema:
        return Schema.parse(
            self._read_json(f"{PREPARED}/schema.json"), f"schema.json of {self.task}"
        )

    @cached_property
    def evaluation(self) -> Evaluation:
        where = f"evaluation.json of {self.task} in {self.snapshot.name}"
        return Evaluation.parse(self._read_json(EVALUATION), where)

    @property
    def statistics(self) -> Any:
        return self._read_json(STATISTICS)

    @cached_property
    def table(self) -> pd.DataFrame:
        """All rows, and in ``_split`` which split each is in."""
        parts = [self._read_frame(f"{PREPARED}/{split}.parquet") for split in SPLITS]
        table = pd.concat(parts, ignore_index=True)
        table[PLACE] = np.repeat(SPLITS, [len(part) for part in parts])
        return table

    @cached_property
    def test(self) -> pd.DataFrame:
        return self._read_frame(f"{PREPARED}/test.parquet")

    @cached_property
    def known(self) -> pd.DataFrame:
        """The rows that were trained on, in the order of the out-of-fold predictions."""
        parts = [
            self._read_frame(f"{PREPARED}/{split}.parquet") for split in ("train", "validation")
        ]
        return pd.concat(parts, ignore_index=True)

    @property
    def out_of_fold_file(self) -> str:
        """The champion's out-of-fold predictions; raises MissingError without an evaluation."""
        return OUT_OF_FOLD.format(task=self.task, model=self.evaluation.champion)

    @cached_property
    def out_of_fold(self) -> OutOfFold:
        """The champion's predictions of ``known`` by models that never saw the row."""
        name = self.out_of_fold_file
        try:
            return arrange(self.snapshot.read_frame(name), self.known[ROW].to_numpy())
        except ValueError as error:
            raise MissingError(f"{name} of {self.snapshot.name} {error}") from error

    @cached_property
    def predictions(self) -> np.ndarray[Any, np.dtype[Any]]:
        """The champion's probabilities (n x labels) or values (n) in the order of ``test``."""
        table = self._read_frame(f"{EVALUATED}/predictions.parquet").set_index(ROW)
        if set(table.index) != set(self.test[ROW]):
            raise MissingError(f"{self.snapshot.name} predicted other rows than its test rows")
        found = table.loc[self.test[ROW]].to_numpy(dtype=np.float64)
        return found if self.schema.labels else found[:, 0]

    @property
    def rule(self) -> DecisionRule:
        """What turned the predictions into decisions, the way `evaluate` had it."""
        threshold, interval = self.evaluation.threshold, self.evaluation.interval
        return DecisionRule(
            threshold=0.5 if threshold is None else threshold,
            half_width=interval.half_width if interval else np.nan,
            bins=self.snapshot.params["evaluation"]["bins"],
        )

    @property
    def ranking_terms(self) -> DecisionRule:
        """How `evaluate` scored the candidates: by a threshold set beforehand, else by 0.5."""
        settings = self.snapshot.params["evaluation"]
        threshold = settings.get("threshold")
        fixed = threshold if isinstance(threshold, float) else 0.5
        return DecisionRule(fixed, bins=settings["bins"])

    def digest(self, name: str) -> str | None:
        """Return the hash of one of FILES, None where the lock has none."""
        return self.snapshot.digests.get(name.format(task=self.task))

    def _read_json(self, name: str) -> Any:
        return self.snapshot.read_json(name.format(task=self.task))

    def _read_frame(self, name: str) -> pd.DataFrame:
        return self.snapshot.read_frame(name.format(task=self.task))
