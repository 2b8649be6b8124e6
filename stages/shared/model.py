"""A model family as ``conf/model/<model>.yaml`` describes it, and the estimator it stands for."""

import importlib
import inspect
from typing import Any

from pydantic import Field, model_validator

from stages.contract.types import Problem
from stages.shared.errors import PipelineError
from stages.shared.frozen import Frozen


class EarlyStopping(Frozen):
    """Stop adding trees after ``rounds`` without gain on a held-out ``fraction`` of the rows."""

    rounds: int = Field(ge=1)
    fraction: float = Field(gt=0, lt=0.5)


class Model(Frozen):
    """The keys between underscores are ours, ``arguments`` all others: the estimator's own."""

    target: dict[Problem, str] = Field(alias="_target_", min_length=1)
    complexity: int = Field(alias="_complexity_")
    scale: bool = Field(alias="_scale_", default=False)
    only: dict[Problem, dict[str, Any]] = Field(alias="_only_", default={})
    early_stopping: EarlyStopping | None = Field(alias="_early_stopping_", default=None)
    text_features: int | None = Field(alias="_text_features_", default=None, ge=1)
    cuda: dict[str, Any] = Field(alias="_cuda_", default={})
    extra: dict[str, Any] = Field(alias="_extra_", default={})  # passed on without a check
    arguments: dict[str, Any] = Field(default={})

    @model_validator(mode="before")
    @classmethod
    def _gather_arguments(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        ours = {key: value for key, value in content.items() if str(key).startswith("_")}
        others = {key: value for key, value in content.items() if key not in ours}
        return {**ours, "arguments": others}

    @property
    def package(self) -> str:
        """The top-level module that the estimators come from."""
        return next(iter(self.target.values())).split(".")[0]

    def with_overrides(
        self, problem: Problem, overrides: dict[str, Any], where: str, weighted: bool = False
    ) -> "Model":
        """Return the model with a task's ``overrides`` laid over it.

        Raises PipelineError that names ``where`` for a problem the family does not solve, for an
        argument its estimator does not take, and for a ``weighted`` fit of one that takes no
        weights.
        """
        if problem not in self.target:
            raise PipelineError(f"{where}: there is no _target_ for {problem}")
        for key in sorted({"_target_", "_only_"} & set(overrides)):
            raise PipelineError(f"{where}: {key} = {overrides[key]!r} belongs in conf/model/")
        content = self.model_dump(by_alias=True, exclude={"arguments"}, exclude_none=True)
        merged = {**content, **self.arguments, **self.only.get(problem, {}), **overrides}
        model = Model.parse({**merged, "_only_": {}}, where)
        model._check_estimator(problem, where, weighted)
        return model

    def estimator_class(self, problem: Problem, where: str = "conf/model") -> Any:
        """Import the class that ``_target_`` names; raises PipelineError where there is none."""
        target = self.target[problem]
        module, _, name = target.rpartition(".")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise PipelineError(f"{where}: _target_.{problem} is {target!r}: {error}") from error

    def is_boosted(self, problem: Problem) -> bool:
        """Whether the estimator adds trees one after the other, and records a loss after each."""
        return records_losses(self.estimator_class(problem))

    def _check_estimator(self, problem: Problem, where: str, weighted: bool) -> None:
        target, estimator = self.target[problem], self.estimator_class(problem, where)
        takes = inspect.signature(estimator.fit).parameters
        if problem == "classification" and not hasattr(estimator, "predict_proba"):
            raise PipelineError(f"{where}: {target} gives no probabilities (no predict_proba)")
        if weighted and "sample_weight" not in takes:
            raise PipelineError(
                f"{where}: class_weight is 'balanced', but {target} takes no weights: set it to "
                "null, or take the model out"
            )
        if self.early_stopping and "eval_set" not in takes:
            given = self.early_stopping.model_dump()
            raise PipelineError(f"{where}: _early_stopping_ = {given}, but {target} cannot do that")
        known = _list_arguments(estimator)
        for name, value in self.arguments.items():
            if name not in known:
                raise PipelineError(
                    f"{where}: {name} = {value!r} is no argument of {target}; "
                    f"it takes {', '.join(sorted(known))}"
                )


def records_losses(estimator_class: type) -> bool:
    """Whether a fitted estimator of the class has the loss after each round, as boosted ones do."""
    return hasattr(estimator_class, "evals_result_") or hasattr(estimator_class, "evals_result")


def _list_arguments(estimator: Any) -> set[str]:
    """Return what ``__init__`` takes, here and in the classes above (XGBoost's pass it up)."""
    found: set[str] = set()
    for cls in estimator.__mro__[:-1]:
        if "__init__" in vars(cls):
            found |= set(inspect.signature(cls.__init__).parameters)
    return found - {"self", "kwargs", "args"}
