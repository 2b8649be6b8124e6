"""What an exported model is: the types of ``models/<task>/manifest.json``, format 2.

`export` builds them, a server reads them back with `serve.runtime.manifest_file`.
"""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from serve.runtime.spelling import select_marks

MANIFEST = "manifest.json"
VERSION_DIGITS = 12
# Keys that the format has since got, with what models without them do: those keep their versions.
LATER: dict[str, Any] = {"windows": 1, "decimal_in": {}}
MAX_CHARACTERS = 10_000  # of a text whose column declares no length: it bounds memory
Pair = tuple[float, float]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ColumnType = Literal["number", "integer", "category", "boolean", "datetime", "text"]
Method = Literal["linear", "trees"]
Link = Literal["identity", "logit", "log", "softmax"]


class Part(BaseModel):
    """A part of the manifest: frozen, strictly typed, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ModelFile(Part):
    """The family by its name in ``conf/model``, its class, and the file beside the manifest."""

    family: str
    estimator: str
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.onnx$")  # a name, never a path
    sha256: Sha256
    trained_on_rows: int


class Vectoriser(Part):
    """The file that turns a text column into ``features`` of the graph's input."""

    column: str
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.json$")
    sha256: Sha256
    features: int


class Tokens(Part):
    """A transformer's ``tokenizer.json``, which takes the vectorisers' place.

    It reads a row's texts as one, with ``separator`` between them. Of a long one up to ``windows``
    pieces are read, and their mean answers.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.json$")
    sha256: Sha256
    separator: str
    windows: Annotated[int, Field(ge=1)] = 1


class Variant(Part):
    """A model\'s size, and the task\'s metric to be expected of it; null where it has no value."""

    bytes: int
    value: float | None


class Precision(Part):
    """What a transformer loses in int8, which is shipped where that is at most ``most_loss``.

    The metric on the test ``rows`` decides, without their labels: fp32's probabilities tell how
    likely each is. ``same_label`` is the share of all rows to which both give the same label;
    ``largest_difference`` is between two probabilities there.
    """

    shipped: Literal["fp32", "int8"]
    metric: str
    rows: int
    fp32: Variant
    int8: Variant
    loss: float | None
    most_loss: float
    same_label: float
    largest_difference: float


class Column(Part):
    """One input: what it means, what it may be, and what the model was trained on (``seen``).

    A ``values`` entry's place in the list is its code in the graph's input. ``seen`` are the lowest
    and the highest number trained on. Only numbers and integers have it: a date after those
    trained on is what a service meets every day.
    """

    name: str
    type: ColumnType
    unit: str | None
    description: str
    range: Pair | None
    values: tuple[str | int, ...] | None
    length: tuple[int, int] | None
    normalise: Literal["NFC", "NFKC"] | None
    missing: Literal["allowed", "forbidden"]
    unseen: Literal["reject", "flag"]  # what becomes of a category's unknown value
    seen: Pair | None

    @model_validator(mode="after")
    def _has_values_if_a_category(self) -> Self:
        if bool(self.values) != (self.type == "category"):
            raise ValueError("values belong to a category, and each category needs some")
        return self

    @property
    def characters(self) -> tuple[int, int]:
        """The fewest and the most characters of a text."""
        return self.length or (1, MAX_CHARACTERS)


class Interval(Part):
    """The value plus and minus ``half_width`` covers the truth in a ``coverage`` share of rows."""

    coverage: float
    half_width: float


class Target(Part):
    """What is predicted. With a ``threshold``, ``positive`` is answered from it on."""

    labels: tuple[str, ...]
    positive: str | None
    threshold: float | None
    unit: str | None
    interval: Interval | None

    @model_validator(mode="after")
    def _can_be_decided(self) -> Self:
        if self.positive is not None and self.positive not in self.labels:
            raise ValueError(f"positive is {self.positive!r}, which is none of the labels")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"the labels {list(self.labels)} name one more than once")
        if self.threshold is not None and (len(self.labels) != 2 or self.positive is None):
            raise ValueError("a threshold needs two labels, one of them positive")
        return self


class Graph(Part):
    """The names of the graph's one input and one output.

    The input (float64, rows by width) has the columns that are not text, in their order, then what
    each vectoriser gives. A transformer's has the numbers of a row's tokens (int64, rows by
    tokens).
    """

    input: str
    output: Literal["probabilities", "value"]


class Explanation(Part):
    """The file that says what each column, and each ``derived`` number, adds to an answer.

    What is added up are scores; they become the answer through the inverse of ``link``.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.npz$")
    sha256: Sha256
    method: Method
    link: Link
    derived: tuple[str, ...]


class Spelling(Part):
    """How the table that was trained on writes its cells, and so how a client's table may.

    ``missing`` are the texts that stand for a missing value, ``missing_in`` further ones of single
    columns, as is ``decimal_in``. The rest is about CSV alone. The encoding is left out: a client
    sends UTF-8.
    """

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quoting: bool = True
    decimal: Literal[".", ","] = "."
    decimal_in: dict[str, Literal[".", ","]] = Field(default={})
    missing: tuple[str, ...] = ("", "?", "NA", "N/A", "NaN", "nan", "null", "None")
    missing_in: dict[str, tuple[str, ...]] = Field(default={})

    def marks(self, column: str, has_nulls: bool = False) -> frozenset[str]:
        """Return the texts that stand for a missing value in a column of a file."""
        return frozenset(select_marks(self.missing, self.missing_in.get(column, ()), has_nulls))


class Parity(Part):
    """How far the exported model, in full precision, was from the trained one over the rows."""

    rows: int
    largest_difference: float
    tolerance: float


class Hashes(Part):
    """SHA-256 of the tables, and of the parameters and our code that trained and exported."""

    data: dict[str, str]
    params: dict[str, str]
    code: dict[str, str]


class Golden(Part):
    """A row with the output that the exported model gave for it, to be given again at load."""

    input: dict[str, str | int | float | bool | None]
    output: tuple[float, ...]


class Card(Part):
    """All that clients may know of a model: what it takes, how good it is, what made it."""

    task: str
    title: str
    problem: Literal["classification", "regression"]
    version: str
    model: ModelFile
    vectorisers: tuple[Vectoriser, ...]
    tokenizer: Tokens | None = None  # a transformer's
    precision: Precision | None = None  # of a transformer that was measured in both
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    target: Target
    spelling: Spelling = Spelling()
    onnx: Graph
    explanation: Explanation | None = None  # where the model has no exact one
    metrics: dict[str, JsonValue]
    parity: Parity
    hashes: Hashes
    libraries: dict[str, str]

    @model_validator(mode="after")
    def _predicts_one_kind(self) -> Self:
        if (self.problem == "classification") != (len(self.target.labels) > 1):
            raise ValueError(f"{self.problem} with {len(self.target.labels)} labels")
        if (self.problem == "classification") != (self.onnx.output == "probabilities"):
            raise ValueError(f"{self.problem} cannot answer with {self.onnx.output!r}")
        if len({column.name for column in self.columns}) < len(self.columns):
            raise ValueError("two columns have the same name")
        texts = [column.name for column in self.columns if column.type == "text"]
        vectorised = [vectoriser.column for vectoriser in self.vectorisers]
        if self.tokenizer and (vectorised or not texts):
            raise ValueError("a tokenizer is for text columns without vectorisers")
        if not self.tokenizer and vectorised != texts:
            raise ValueError(f"the text columns are {texts}: each has a vectoriser, in this order")
        return self


class Manifest(Card):
    """A whole ``manifest.json``."""

    format: Literal[2] = 2
    golden: Annotated[tuple[Golden, ...], Field(min_length=1)]

    @property
    def outputs(self) -> int:
        """How many numbers the graph gives for a row."""
        return len(self.target.labels) or 1

    def content(self) -> dict[str, Any]:
        """Return what the file holds, in its order: its format first, golden rows after parity."""
        content = self.model_dump(mode="json")
        ordered: dict[str, Any] = {"format": content.pop("format")}
        golden = content.pop("golden")
        for key, value in content.items():
            ordered[key] = value
            if key == "parity":
                ordered["golden"] = golden
        return ordered


def compute_version(card: Card) -> str:
    """Return a short hash of all that can change an answer: the model, and what is beside it."""
    beside = (*card.vectorisers, *([card.tokenizer] if card.tokenizer else []))
    parts = (*beside, *card.columns, card.target, card.spelling)
    decisive = [card.model.sha256, *map(_dump_decisive, parts)]
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
    return digest[:VERSION_DIGITS]


def _dump_decisive(part: Part) -> dict[str, Any]:
    """Return a part's content; a key that came later changes no version where it says nothing."""
    content = part.model_dump(mode="json")
    return {key: value for key, value in content.items() if LATER.get(key, ...) != value}
