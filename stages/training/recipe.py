"""How `train` and `tune` come from parameters to the same recipe for a fit."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from stages.contract.text_features import TextFeatures
from stages.runner.declare import At, Params
from stages.shared.model import Model
from stages.shared.schema import Schema
from stages.training.fitting import Recipe, use_cuda


class RecipeParams(Params):
    """What decides a fit; each stage says where its model and the task's overrides stand."""

    model: Model
    overrides: dict[str, Any] | None
    class_weight: Annotated[Literal["balanced"] | None, At("task.{task}.class_weight")]
    text: Annotated[TextFeatures, At("task.{task}.text")]
    device: Annotated[Literal["cpu", "cuda"], At("device")]


def build_recipe(params: RecipeParams, schema: Schema, where: str) -> Recipe:
    """Return the recipe of the model family with the task's overrides.

    Raises PipelineError that names ``where`` for an override which the family does not take.
    """
    model = resolve_model(params, schema, where)
    cuda = use_cuda(params.device, model)
    return Recipe(model, schema, params.class_weight, cuda, params.text)


def resolve_model(
    params: RecipeParams, schema: Schema, where: str, changes: Mapping[str, Any] | None = None
) -> Model:
    """Return the family with the task's overrides laid over it, and ``changes`` over those."""
    overrides = {**(params.overrides or {}), **(changes or {})}
    weighted = params.class_weight is not None
    return params.model.with_overrides(schema.problem, overrides, where, weighted)
