"""What an evaluation is set by: ``evaluation`` in ``conf/config.yaml``, and the task's own part."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from stages.evaluating.metrics import DecisionRule, Metric
from stages.shared.frozen import Frozen
from stages.shared.schema import Schema

ThresholdCriterion = Literal["balanced_accuracy", "f1"]


class EvaluationSettings(Frozen):
    """How the champion is looked at; ``conf/config.yaml`` explains each value."""

    seed: int
    resamples: int = Field(ge=10)
    confidence: float = Field(gt=0, lt=1)
    bins: int = Field(ge=2)
    slices: int = Field(ge=2)
    permutations: int = Field(ge=1)
    threshold: ThresholdCriterion | Annotated[float, Field(gt=0, lt=1)]
    coverage: float = Field(gt=0, lt=1)


@dataclass(frozen=True)
class EvaluationContext:
    """One task's evaluation: its table, its metric, and the settings."""

    task: str
    schema: Schema
    metric: Metric
    settings: EvaluationSettings
    class_weight: Literal["balanced"] | None = None

    @property
    def is_classification(self) -> bool:
        return self.schema.problem == "classification"

    @property
    def ranking_rule(self) -> DecisionRule:
        """How candidates are compared: by a threshold that is fixed beforehand, else by 0.5."""
        asked = self.settings.threshold
        return DecisionRule(asked if isinstance(asked, float) else 0.5, bins=self.settings.bins)
