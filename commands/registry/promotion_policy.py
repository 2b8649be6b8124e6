"""Scores challenger and champion on the same test rows, and says whether the one is better."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from commands.registry.comparison import Comparison, Pair, compare, compare_worst_slice
from commands.registry.settings import PromotionPolicy, Verdict
from serve.runtime.encode import MisfitError
from serve.runtime.manifest import Manifest
from serve.runtime.model import Model
from stages.contract.columns import Column
from stages.evaluating.formatting import format_number, round_floats
from stages.evaluating.metrics import Array, DecisionRule, Rows, find_metric, metrics_for
from stages.evaluating.slices import cut_slices
from stages.exporting.golden import to_plain
from stages.shared.errors import PipelineError
from stages.shared.features import encode, encode_target
from stages.shared.folds import read_groups
from stages.shared.schema import Schema, read_schema
from stages.shared.storage import read_frame, sha256


@dataclass(frozen=True)
class Judgement:
    """The verdict, the comparisons that it rests on, and in a sentence why."""

    verdict: Verdict
    comparisons: tuple[Comparison, ...]
    reason: str

    def content(self) -> dict[str, Any]:
        """Return it as plain data for the log."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "comparisons": [round_floats(asdict(found)) for found in self.comparisons],
        }

    def lines(self) -> list[str]:
        """Return what a person reads, a line for each comparison."""
        return [*map(_format_comparison, self.comparisons), f"{self.verdict}: {self.reason}"]


@dataclass(frozen=True)
class TestRows:
    """The rows that both models are scored on."""

    schema: Schema
    frame: pd.DataFrame

    @classmethod
    def read(cls, task: str, challenger: Manifest) -> "TestRows":
        """Read the test rows; raises PipelineError if they are not those of the challenger."""
        folder = Path("data/prepared", task)
        path = folder / "test.parquet"
        expected = challenger.hashes.data.get("test")
        if sha256(path) != expected:
            raise PipelineError(
                f"{path} is not what the challenger was tested on (sha256 {expected}): check out "
                "the commit it was registered from, or `make repro` and `make register` again"
            )
        return cls(read_schema(folder), read_frame(path))


def judge_challenger(
    task: str, challenger: Model, champion: Model | None, params: PromotionPolicy, test: TestRows
) -> Judgement:
    """Hold the challenger against the champion, by the task's metric and the worst slice.

    The other metrics are reported, and decide nothing.
    """
    if champion is None:
        doubt = "" if beats_baseline(challenger.manifest) else ", and it beats no baseline either"
        return Judgement("first", (), f"{task} has no champion yet{doubt}")
    if reason := find_incomparable(challenger.manifest, champion.manifest, params.columns):
        return Judgement("incomparable", (), reason)
    models = challenger, champion
    judgement = judge_pair(
        task, Pair(*(predict_rows(model, test, params) for model in models)), params, test
    )
    return hold_against_baseline(judgement, challenger.manifest)


def hold_against_baseline(judgement: Judgement, challenger: Manifest) -> Judgement:
    """Let a challenger that is no better than its baseline win only where it is better outright.

    Whatever ``promotion.accept`` lets pass, such a model takes no other's place.
    """
    if beats_baseline(challenger) or judgement.verdict in ("better", "incomparable"):
        return judgement
    reason = f"no better than its own baseline; {judgement.reason}"
    return replace(judgement, verdict="worse", reason=reason)


def beats_baseline(manifest: Manifest) -> bool:
    """Whether the test showed the model to be better than a constant answer, or did not ask."""
    found = manifest.metrics.get("over_baseline")
    if not isinstance(found, dict):
        return True  # of a release that did not compare
    low = found.get("low")
    return isinstance(low, int | float) and low > 0


def judge_pair(task: str, pair: Pair, params: PromotionPolicy, test: TestRows) -> Judgement:
    """Compare by every metric and on the worst slice; the task's metric comes first."""
    problem, seed = test.schema.problem, params.evaluation.seed
    metric = find_metric(params.metric, problem, f"conf/task/{task}.yaml: metric")
    X = encode(test.frame, test.schema)
    parts = list(cut_slices(test.schema.fields, X, params.evaluation.slices))
    found = compare(pair, metrics_for(problem), params.promotion, seed)
    if metric.name not in found:
        return Judgement("incomparable", (), f"{metric.name} is undefined on the test rows")
    worst = compare_worst_slice(pair, parts, metric, params.promotion, seed)
    main = found.pop(metric.name)
    comparisons = (main, *([worst] if worst else []), *found.values())
    return Judgement(combine_verdicts(main, worst), comparisons, explain_verdict(main, worst))


def combine_verdicts(main: Comparison, worst: Comparison | None) -> Verdict:
    """Return the word for the whole: a slice that got worse outweighs a gain elsewhere."""
    return "worse" if worst and worst.verdict == "worse" else main.verdict


def explain_verdict(main: Comparison, worst: Comparison | None) -> str:
    """Say what decided."""
    if worst and worst.verdict == "worse":
        return f"worse where {worst.where}; {main.metric} over all {main.rows} rows: {main.verdict}"
    return f"by {main.metric} on {main.rows} test rows"


def find_incomparable(
    challenger: Manifest, champion: Manifest, columns: Mapping[str, Column]
) -> str | None:
    """Return why the two cannot be scored on the same rows, if so."""
    if challenger.target.labels != champion.target.labels:
        seen = champion.target.labels, challenger.target.labels
        return f"the champion answers with the labels {seen[0]}, the challenger with {seen[1]}"
    types = {name: column.type for name, column in columns.items()}
    lost = [column.name for column in champion.columns if types.get(column.name) != column.type]
    if lost:
        return f"the champion reads columns that are gone or of another type: {', '.join(lost)}"
    return None


def predict_rows(model: Model, test: TestRows, params: PromotionPolicy) -> Rows:
    """Return the test rows as a model answers them, on its own terms, exactly as it is served."""
    names = [column.name for column in model.manifest.columns]
    records = test.frame[names].to_dict("records")
    rows = [{name: to_plain(row[name], params.columns[name]) for name in names} for row in records]
    return Rows(
        encode_target(test.frame, test.schema),
        run_model(model, rows),
        read_rule(model, params),
        read_groups(test.frame, test.schema),
    )


def run_model(model: Model, rows: Sequence[Mapping[str, Any]]) -> Array:
    """Return the outputs (n x labels, or n values); raises PipelineError for a row it cannot read.

    A value that a request may not have (out of range) is scored all the same, as `evaluate` does.
    """
    try:
        found = [model.engine.run(model.encoder.encode_unchecked(row)) for row in rows]
    except MisfitError as error:
        version = model.manifest.version
        raise PipelineError(f"model {version} cannot read the test rows: {error}") from error
    outputs = np.array(found, dtype=np.float64)
    return outputs if model.manifest.target.labels else outputs[:, 0]


def read_rule(model: Model, params: PromotionPolicy) -> DecisionRule:
    """Return the model's own threshold and interval."""
    target = model.manifest.target
    return DecisionRule(
        threshold=0.5 if target.threshold is None else target.threshold,
        half_width=target.interval.half_width if target.interval else float("nan"),
        bins=params.evaluation.bins,
    )


def _format_comparison(found: Comparison) -> str:
    place = f" where {found.where}" if found.where else ""
    scores = f"{format_number(found.champion)} → {format_number(found.challenger)}"
    gain, low, high = map(format_number, (found.gain, found.low, found.high))
    line = f"  {found.metric}{place}, n = {found.rows}: {scores}, gain {gain} [{low}, {high}]"
    return f"{line}: {found.verdict}"
