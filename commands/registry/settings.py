"""What a promotion is decided by: ``promotion`` in ``conf/config.yaml``, and parts of the task."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stages.contract.columns import Column
from stages.evaluating.settings import EvaluationSettings
from stages.runner.declare import PARAMS_FILE, At, Params, load_params
from stages.shared.frozen import Frozen, Items

Verdict = Literal["first", "better", "not worse", "worse", "inconclusive", "incomparable"]


class Promotion(Frozen):
    """When the alias moves; ``conf/config.yaml`` explains each value."""

    renamed: ClassVar = {"slice_rows": "min_slice_rows"}

    accept: Items[Verdict]
    confidence: float = Field(gt=0, lt=1)
    slice_confidence: float = Field(gt=0, lt=1)
    margin: float = Field(ge=0)
    resamples: int = Field(ge=100)
    min_slice_rows: int = Field(ge=10)


class PromotionPolicy(Params):
    """When a challenger becomes champion, and what scoring two models needs of the task."""

    promotion: Annotated[Promotion, At("promotion")]
    evaluation: Annotated[EvaluationSettings, At("evaluation")]
    metric: Annotated[str, At("task.{task}.metric")]
    columns: Annotated[dict[str, Column], At("task.{task}.columns")]


def read_policy(task: str) -> PromotionPolicy:
    """Read what decides a task's promotions; raises PipelineError for a key that is not there.

    It stands in ``params.yaml``: a task's own file holds what its stages declare, and no more.
    """
    return load_params(PromotionPolicy, PARAMS_FILE, task=task)
