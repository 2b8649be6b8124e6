"""What `fine_tune` is set by; apart from the stage, so that the parts below can read it as well."""

from typing import Annotated, Any, Literal

from stages.contract.cross_validation import CrossValidation
from stages.runner.declare import At, Params
from stages.shared.encoder import Encoder


class FineTuneParams(Params):
    """An encoder, what the task changes in it, and how it is scored."""

    encoder: Annotated[Encoder, At("encoder.{encoder}")]
    overrides: Annotated[dict[str, Any] | None, At("task.{task}.encoders.{encoder}")]
    cv: Annotated[CrossValidation, At("task.{task}.cv")]
    class_weight: Annotated[Literal["balanced"] | None, At("task.{task}.class_weight")]
    device: Annotated[Literal["cpu", "cuda"], At("device")]
