"""A whole contract: what ``conf/task/<task>.yaml`` may say."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from stages.contract.checks import Checks, ErrorFrom
from stages.contract.columns import Column, check_derived
from stages.contract.cross_validation import CrossValidation
from stages.contract.expressions import Expression
from stages.contract.names import Name
from stages.contract.section import Section
from stages.contract.source import Origin
from stages.contract.split import Split
from stages.contract.target import Target
from stages.contract.text_features import TextFeatures
from stages.contract.tuning import Tuning
from stages.shared.frozen import Items
from stages.shared.schema import RESERVED, SLICE


class Task(Section):
    """A whole contract, as it stands under ``task.<task>`` in ``params.yaml``."""

    renamed: ClassVar = {"most_bad_rows": "max_bad_row_share"}

    title: str
    """What people call the task: on its card, its page and in reports."""
    source: str
    """Which of `sources` the table is read from; `conf/source` sets it for all tasks."""
    sources: dict[str, Origin]
    """Where the table can come from, by name: a file, a download, a query."""
    origin: Origin
    """The source chosen. Composed: no task writes it."""
    columns: dict[Name, Column] = Field(min_length=1)
    """The columns that the models see, by their names in the table."""
    ignored: Items[Name] = ()
    """Columns of the table that are left out on purpose."""
    slices: Items[Name] = ()
    """Columns that no model sees, but for each of whose values the champion is scored."""
    checks: Checks = Field(default={})
    """How serious breaking a rule is, where not as usual, as in `{ range: warn, extra: off }`.
    `stages/validating/rules.py` lists the rules."""
    error_from: ErrorFrom = ErrorFrom()
    """From which share on a finding that makes later numbers wrong stops the run."""
    on_bad_rows: Literal["fail", "quarantine"] = "fail"
    """Whether rows that break the contract stop the run, or are set aside."""
    max_bad_row_share: float = Field(default=0.05, ge=0, lt=1)
    """The share of bad rows above which the run stops all the same."""
    derived: dict[Name, str] = Field(default={})
    """Numbers computed from columns, as in `rooms_per_household: total_rooms / households`."""
    target: Target
    """The column or formula to predict, and its classes or its unit."""
    metric: str
    """By which candidates are compared: for classes `roc_auc`, `log_loss`, `accuracy` and
    others, for numbers `rmse`, `mae`, `r2`."""
    split: Split
    """How rows are dealt to train, validation and test."""
    cv: CrossValidation
    """The folds that candidates are scored on."""
    class_weight: Literal["balanced"] | None = None
    """`balanced`: rare classes count as much as common ones."""
    text: TextFeatures
    """Which n-grams of text columns become TF-IDF features."""
    window: str | None = None
    """A Parquet file of later rows, which `monitor` holds against those trained on."""
    models: dict[Name, dict[str, Any]] = Field(min_length=1)
    """The model families to train, each a file in `conf/model`, with the arguments that differ
    for this task."""
    encoders: dict[Name, dict[str, Any]] = Field(default={})
    """The pretrained encoders to fine-tune on a text, each a file in `conf/encoder`, with what
    differs for this task."""
    tune: dict[Name, Tuning | None] = Field(default={})
    """The models whose arguments to search, each with a file in `conf/tune`."""

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
        return {name: {} if changes is None else changes for name, changes in models.items()}

    @property
    def has_text(self) -> bool:
        """Whether one of the columns is free text."""
        return any(column.type == "text" for column in self.columns.values())

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        for name, formula in self.derived.items():
            check_derived(name, formula, self.columns)
        for name, column in self.columns.items():
            if lost := sorted({*column.tokens} & {*self.origin.list_missing_marks(name)}):
                raise ValueError(f"columns.{name}.values: {lost} count as missing (origin.missing)")
        if seen := sorted({*self.slices} & {*self.columns}):
            raise ValueError(f"slices: {seen} are columns, and these are sliced by anyway")
        target = Expression.parse(self.target.expression).names
        if leaked := target & set(self.columns):
            raise ValueError(f"columns: {sorted(leaked)} would tell the target to the models")
        if unknown := set(self.origin.missing_in) - set(self.columns) - target:
            raise ValueError(f"origin.missing_in: {sorted(unknown)} are no columns")
        return self
