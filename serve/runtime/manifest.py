"""Reads ``models/<task>/manifest.json`` and the model file it names, and checks both."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import ErrorDetails

FORMAT = 2
MANIFEST = "manifest.json"
VERSION_DIGITS = 12
T = TypeVar("T", bound=BaseModel)
MOST_CHARACTERS = 10_000  # of a text whose column declares no length: it bounds memory
Pair = tuple[float, float]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ManifestError(Exception):
    """A model that cannot be served: the file, what is wrong with it and what to do."""


class Part(BaseModel):
    """A part of the manifest: frozen, strictly typed, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ModelFile(Part):
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

    It reads a row's texts as one, with ``separator`` between them.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.json$")
    sha256: Sha256
    separator: str


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
    """One input: what it means, what it may be, and what the model was trained on (``seen``)."""

    name: str
    type: Literal["number", "integer", "category", "boolean", "datetime", "text"]
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
        return self.length or (1, MOST_CHARACTERS)


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
        if self.threshold is not None and (len(self.labels) != 2 or self.positive is None):
            raise ValueError("a threshold needs two labels, one of them positive")
        return self


class Graph(Part):
    """The names of the graph's one input and one output.

    The input is float64, rows by columns; a transformer's is int64, rows by tokens.
    """

    input: str
    output: Literal["probabilities", "value"]


class Explanation(Part):
    """The file that says what each column, and each ``derived`` number, adds to an answer.

    What is added up are scores; they become the answer through the inverse of ``link``.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.npz$")
    sha256: Sha256
    method: Literal["linear", "trees"]
    link: Literal["identity", "logit", "log", "softmax"]
    derived: tuple[str, ...]


class Spelling(Part):
    """How the table that was trained on writes its cells, and so how a client's table may.

    ``missing`` are the texts that stand for a missing value, ``missing_in`` further ones of single
    columns. The rest is about CSV alone.
    """

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quoting: bool = True
    decimal: Literal[".", ","] = "."
    missing: tuple[str, ...] = ("", "?", "NA", "N/A", "NaN", "nan", "null", "None")
    missing_in: dict[str, tuple[str, ...]] = Field(default={})

    def marks(self, column: str) -> frozenset[str]:
        """Return the texts that stand for a missing value in a column."""
        return frozenset((*self.missing, *self.missing_in.get(column, ())))


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
    parity: dict[str, JsonValue]
    hashes: dict[str, JsonValue]
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

    format: Literal[2]
    golden: Annotated[tuple[Golden, ...], Field(min_length=1)]

    @property
    def outputs(self) -> int:
        """How many numbers the graph gives for a row."""
        return len(self.target.labels) or 1


class _Header(BaseModel):
    format: JsonValue = None


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of the task that ``folder`` is named after.

    Raises ManifestError that names the key and the value seen.
    """
    content = _read(folder, MANIFEST)
    found = _parse(_Header, content).format
    if found != FORMAT:
        raise ManifestError(f"{MANIFEST} has format {found!r}; this server reads format {FORMAT}")
    manifest = _parse(Manifest, content)
    if manifest.task != folder.name:
        raise ManifestError(f"{MANIFEST} is of task {manifest.task!r}, not {folder.name!r}")
    if (found := version(manifest)) != manifest.version:
        raise ManifestError(
            f"{MANIFEST} was changed after its export: the version of what it describes "
            f"is {found}, it says {manifest.version}; export the task again"
        )
    return manifest


def version(card: Card) -> str:
    """Return the version as ``stages/exporting/manifest.py`` makes it: a hash of what decides."""
    beside = (*card.vectorisers, *([card.tokenizer] if card.tokenizer else []))
    parts = (*beside, *card.columns, card.target, card.spelling)
    decisive = [card.model.sha256, *(part.model_dump(mode="json") for part in parts)]
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
    return digest[:VERSION_DIGITS]


def read_file(folder: Path, entry: ModelFile | Vectoriser | Tokens | Explanation) -> bytes:
    """Read a file that the manifest names; raises ManifestError unless its SHA-256 is there."""
    content = _read(folder, entry.file)
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise ManifestError(
            f"{entry.file} was changed after its export: its sha256 is {found}, "
            f"{MANIFEST} says {entry.sha256}; export the task again"
        )
    return content


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise ManifestError(f"{name} cannot be read: {error.strerror}") from error


def _parse(cls: type[T], content: bytes) -> T:
    try:
        return cls.model_validate_json(content)
    except pydantic.ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors())
        raise ManifestError(f"{MANIFEST} cannot be used: {problems}") from error


def _problem(item: ErrorDetails) -> str:
    key = ".".join(map(str, item["loc"])) or "the whole"
    return f"{key}: {item['msg']}, the value is {str(item['input'])[:80]!r}"
