"""The contract: what ``conf/task/<task>.yaml`` may say, as typed frozen objects."""

import codecs
import csv
import re
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from stages.core.expressions import Expression
from stages.core.frozen import Frozen, Items
from stages.core.rules import Rule, Verdict

Name = str
Value = str | int
ColumnType = Literal["number", "integer", "category", "boolean", "datetime", "text"]
ISO_8601 = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?$"
SHA_256 = r"^[0-9a-f]{64}$"
RESERVED = ("_row", "_target", "_group")  # names of the columns that `prepare` adds
SLICE = "_slice_"  # begins the names of those that it adds for `slices`


class Member(Frozen):
    """A file in a zip archive, and the constants that its rows get as further columns."""

    name: str
    sha256: str = Field(pattern=SHA_256)
    values: dict[Name, str] = Field(default={})


class Origin(Frozen):
    """Where a table comes from and how its file is written.

    A local file needs only ``path``. With ``url`` and ``sha256`` the file is downloaded to
    ``path``; with ``url`` and ``members`` the named files of a zip archive are joined there; with
    ``database`` and ``query`` it is filled from SQL. The rest describes CSV. A file without a
    header holds ``names``, or else the contract's columns and then the target's.
    """

    path: str
    url: str | None = None
    sha256: str | None = Field(default=None, pattern=SHA_256)
    members: Items[Member] = ()
    database: str | None = None
    query: str | None = None
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    header: bool = True
    names: Items[Name] | None = None
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    quoting: bool = True
    missing: Items[str] = ("", "?", "NA", "N/A", "NaN", "nan", "null", "None")
    missing_in: dict[Name, Items[str]] = Field(default={})  # further marks, in one column only

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise ValueError("Python knows no such encoding") from error
        return encoding

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if self.members and not self.url:
            raise ValueError("members are files in the archive at a url")
        if self.members and self.sha256:
            raise ValueError("members have a sha256 each, and their archive has none")
        if bool(self.url) != bool(self.sha256 or self.members):
            raise ValueError("url and sha256 go together: the hash decides what the file is")
        if len({tuple(member.values) for member in self.members}) > 1:
            raise ValueError("members must all have values of the same names, in one order")
        if bool(self.database) != bool(self.query):
            raise ValueError("database and query go together")
        if self.url and self.query:
            raise ValueError("a source has either a url or a query")
        if self.header and self.names:
            raise ValueError("names are for a file without a header")
        if self.query and not self.path.endswith(".parquet"):
            raise ValueError(f"a query is kept as Parquet: path {self.path!r} must say so")
        return self

    def missing_marks(self, column: Name) -> tuple[str, ...]:
        """Return the texts that stand for a missing value in a column."""
        return (*self.missing, *self.missing_in.get(column, ()))

    @property
    def csv_quoting(self) -> Literal[0, 3]:
        """How the csv module is to treat quotes."""
        return csv.QUOTE_MINIMAL if self.quoting else csv.QUOTE_NONE

    @property
    def is_fetched(self) -> bool:
        return bool(self.url or self.query)


class Column(Frozen):
    """One column that the models see: its type, unit, and what its values may be.

    ``length`` is the fewest and most characters of a text, counted after ``normalise`` (a Unicode
    normalisation form, UAX #15) and without the blanks around it. ``unseen`` is what serving does
    with a category that is none of ``values``: refuse the row, or answer it as unknown and say so.
    """

    type: ColumnType
    description: str = ""
    unit: str | None = None
    range: Items[float] | None = Field(default=None, min_length=2, max_length=2)
    values: Items[Value] | None = Field(default=None, min_length=1)
    length: Items[int] | None = Field(default=None, min_length=2, max_length=2)
    normalise: Literal["NFC", "NFKC"] | None = None
    missing: Literal["allowed", "forbidden"] = "forbidden"
    missing_share: float | None = Field(default=None, ge=0, le=1)  # the largest that is allowed
    checks: dict[Rule, Verdict] = Field(default={})
    unseen: Literal["reject", "flag"] = "reject"

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if (self.values is not None) != (self.type == "category"):
            raise ValueError("values are listed for a category, and for nothing else")
        if self.values and len(set(self.tokens)) < len(self.values):
            raise ValueError("values must differ from one another")
        if self.range and self.type not in ("number", "integer"):
            raise ValueError(f"a {self.type} has no range")
        if self.unseen == "flag" and self.type != "category":
            raise ValueError(f"a {self.type} has no unseen values: only a category has")
        if (self.length or self.normalise) and self.type != "text":
            raise ValueError(f"a {self.type} has no length and is not normalised: only a text is")
        if self.missing_share is not None and self.missing == "forbidden":
            raise ValueError("missing_share is for a column of which values may be missing")
        _check_order(self.range)
        _check_order(self.length, "length")
        return self

    @property
    def tokens(self) -> tuple[str, ...]:
        """The category's values as the text that a table holds."""
        return tuple(str(value) for value in self.values or ())


class Target(Frozen):
    """What is to be predicted.

    ``expression`` is a column's name or a formula such as ``num > 0``. For classification,
    ``classes`` maps each value of the expression to the name that people and clients read.
    """

    expression: str
    classes: dict[str, str] | None = Field(default=None, min_length=2)
    positive: str | None = None
    unit: str | None = None
    range: Items[float] | None = Field(default=None, min_length=2, max_length=2)

    @field_validator("expression")
    @classmethod
    def _reads_columns(cls, text: str) -> str:
        if not Expression.parse(text).names:
            raise ValueError("the formula reads no column")
        return text

    @field_validator("classes", mode="before")
    @classmethod
    def _as_text(cls, classes: Any) -> Any:
        """Let YAML's ``true`` and ``1`` be keys; a plain list names each class after its value."""
        if isinstance(classes, list | tuple):
            return {str(value): str(value) for value in classes}
        if isinstance(classes, dict):
            return {_token(value): label for value, label in classes.items()}
        return classes

    @model_validator(mode="after")
    def _fits_its_problem(self) -> Self:
        if self.classes and self.range:
            raise ValueError("classes have no range")
        if not self.classes and not Expression.parse(self.expression).is_arithmetic:
            raise ValueError(f"{self.expression!r} is true or false: name the two as classes")
        _check_order(self.range)
        return self

    @model_validator(mode="after")
    def _names_a_positive_class(self) -> Self:
        labels = self.labels
        if len(labels) == 1:
            raise ValueError(f"every value is of the same class, {labels[0]!r}")
        if self.positive is not None and self.positive not in labels:
            raise ValueError(f"positive is {self.positive!r}; the classes are {', '.join(labels)}")
        if len(labels) == 2 and self.positive is None:
            raise ValueError(f"two classes ({', '.join(labels)}) need one named as positive")
        return self

    @property
    def problem(self) -> Literal["classification", "regression"]:
        return "classification" if self.classes else "regression"

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names in the order of the models' probabilities: the positive one last."""
        names = tuple(dict.fromkeys((self.classes or {}).values()))
        return tuple(sorted(names, key=lambda name: name == self.positive))


def _token(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_order(bounds: tuple[float, ...] | None, name: str = "range") -> None:
    if bounds and not bounds[0] <= bounds[1]:
        raise ValueError(f"{name} must be [lowest, highest], not {list(bounds)}")


class TimeSplit(Frozen):
    """Splits by a time column at fixed dates, so that new rows move no old ones.

    Dates and times are ISO 8601, in UTC where they name no zone.
    """

    column: Name
    validation_from: str = Field(pattern=ISO_8601)
    test_from: str = Field(pattern=ISO_8601)

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        starts = [datetime.fromisoformat(text) for text in (self.validation_from, self.test_from)]
        first, second = (start.replace(tzinfo=start.tzinfo or UTC) for start in starts)
        if first > second:
            raise ValueError("validation_from must not be later than test_from")
        return self


class Split(Frozen):
    """How rows are dealt to train, validation and test.

    Each row goes by a hash of its content (or of its ``group``) and ``seed``; ``validation`` and
    ``test`` are the shares to expect. With ``time`` the dates decide instead.
    """

    seed: int
    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)
    group: Name | None = None
    time: TimeSplit | None = None

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test leave nothing to train on")
        if self.group and self.time:
            raise ValueError("split by group or by time, not both")
        return self


class CrossValidation(Frozen):
    """Folds over train and validation, shuffled (and stratified for classes) with ``seed``.

    A table that is split by group has its groups in one fold each.
    """

    folds: int = Field(ge=2)
    repeats: int = Field(default=1, ge=1)
    seed: int


class TextFeatures(Frozen):
    """Which n-grams of a text column become TF-IDF features; ``conf/contract.yaml`` explains it."""

    words: Items[int] | None = Field(min_length=2, max_length=2)
    characters: Items[int] | None = Field(min_length=2, max_length=2)
    min_count: int = Field(ge=1)
    most_features: int = Field(ge=1)
    sublinear: bool

    @model_validator(mode="after")
    def _makes_features(self) -> Self:
        if not self.words and not self.characters:
            raise ValueError("words and characters are both null: a text would have no features")
        for name, sizes in (("words", self.words), ("characters", self.characters)):
            if sizes and not 1 <= sizes[0] <= sizes[1]:
                raise ValueError(f"{name} must be [shortest, longest], not {list(sizes)}")
        return self


class Tuning(Frozen):
    """How long to search for one model's arguments."""

    trials: int = Field(default=50, ge=2)
    seed: int = 42


class Task(Frozen):
    """A whole contract, as it stands under ``task.<task>`` in ``params.yaml``."""

    title: str
    source: str
    sources: dict[str, Origin]
    origin: Origin
    columns: dict[Name, Column] = Field(min_length=1)
    ignored: Items[Name] = ()
    slices: Items[Name] = ()
    checks: dict[Rule, Verdict] = Field(default={})
    on_bad_rows: Literal["fail", "quarantine"] = "fail"
    most_bad_rows: float = Field(default=0.05, ge=0, lt=1)
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


def check_derived(name: Name, formula: str, columns: dict[Name, Column]) -> None:
    """Raise ValueError unless ``formula`` is arithmetic over number and integer columns."""
    if name in columns or not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise ValueError(f"derived.{name}: the name is taken or not a plain one")
    expression = Expression.parse(formula)
    if not expression.is_arithmetic or not expression.names:
        raise ValueError(f"derived.{name}: {formula!r} is not arithmetic over columns")
    for used in sorted(expression.names):
        if used not in columns or columns[used].type not in ("number", "integer"):
            raise ValueError(f"derived.{name}: {used!r} is not a number or integer column")
