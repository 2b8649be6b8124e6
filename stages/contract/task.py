"""A whole contract: what ``conf/task/<task>.yaml`` may say."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from stages.contract.checks import Checks
from stages.contract.columns import Column, check_derived
from stages.contract.cross_validation import CrossValidation
from stages.contract.expressions import Expression
from stages.contract.names import Name
from stages.contract.source import Origin
from stages.contract.split import Split
from stages.contract.target import Target
from stages.contract.text_features import TextFeatures
from stages.contract.tuning import Tuning
from stages.shared.frozen import Frozen, Items
from stages.shared.schema import RESERVED, SLICE


class Task(Frozen):
    """A whole contract, as it stands under ``task.<task>`` in ``params.yaml``."""

    renamed: ClassVar = {"most_bad_rows": "max_bad_row_share"}

    title: str
    source: str
    sources: dict[str, Origin]
    origin: Origin
    columns: dict[Name, Column] = Field(min_length=1)
    ignored: Items[Name] = ()
    slices: Items[Name] = ()
    checks: Checks = Field(default={})
    on_bad_rows: Literal["fail", "quarantine"] = "fail"
    max_bad_row_share: float = Field(default=0.05, ge=0, lt=1)
    derived: dict[Name, str] = Field(default={})
    target: Target
    metric: str
    split: Split
    cv: CrossValidation
    class_weight: Literal["balanced"] | None = None
    text: TextFeatures
    models: dict[Name, dict[str, Any]] = Field(min_length=1)
    encoders: dict[Name, dict[str, Any]] = Field(default={})
    tune: dict[Name, Tuning | None] = Field(default={})

    @field_validator("columns")
    @classmethod
    def _are_not_reserved(cls, columns: dict[Name, Column]) -> dict[Name, Column]:
        for name in columns:
            if name in RESERVED or name.startswith(SLICE):
                raise ValueError(f"{name!r} is a name that `prepare` uses itself")
        return columns

    @field_validator("models", "encoders", mode="before")
    @classmethod
    def _allow_a_bare_name(cls, models: Any) -> Any:
        """Let ``linear:`` with nothing behind it mean the model as its own file has it."""
        if not isinstance(models, dict):
            return models
        return {name: {} if it is None else it for name, it in models.items()}

    @property
    def has_text(self) -> bool:
        return any(column.type == "text" for column in self.columns.values())

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        for name, formula in self.derived.items():
            check_derived(name, formula, self.columns)
        for name, column in self.columns.items():
            if lost := sorted({*column.tokens} & {*self.origin.missing_marks(name)}):
                raise ValueError(f"columns.{name}.values: {lost} count as missing (origin.missing)")
        if seen := sorted({*self.slices} & {*self.columns}):
            raise ValueError(f"slices: {seen} are columns, and these are sliced by anyway")
        target = Expression.parse(self.target.expression).names
        if leaked := target & set(self.columns):
            raise ValueError(f"columns: {sorted(leaked)} would tell the target to the models")
        if unknown := set(self.origin.missing_in) - set(self.columns) - target:
            raise ValueError(f"origin.missing_in: {sorted(unknown)} are no columns")
        return self
