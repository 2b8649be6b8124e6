"""What an exported model is: ``models/<task>/manifest.json``, format 2."""

import hashlib
import json
from typing import Any, Literal

import pandas as pd

from stages.contract.columns import Column as DeclaredColumn
from stages.contract.names import Value
from stages.contract.source import Origin
from stages.contract.target import Target as DeclaredTarget
from stages.contract.types import ColumnType
from stages.evaluating.content import Interval
from stages.shared.frozen import Frozen, Items

CHECKED = {"max_missing_share", "checks"}  # what only `validate` goes by
Method = Literal["linear", "trees"]
Link = Literal["identity", "logit", "log", "softmax"]
DIGITS = 12  # of a hash, where a short one is enough to tell models apart


class ModelFile(Frozen):
    """The family by its name in ``conf/model``, its class, and the file beside the manifest."""

    family: str
    estimator: str
    file: str
    sha256: str
    trained_on_rows: int


class Vectoriser(Frozen):
    """The file beside the manifest that turns a text column into ``features`` of the input."""

    column: str
    file: str
    sha256: str
    features: int


class Tokens(Frozen):
    """A transformer's ``tokenizer.json``, beside the manifest; it cuts long texts by itself.

    It reads a row's texts as one, with ``separator`` between them.
    """

    file: str
    sha256: str
    separator: str


class Variant(Frozen):
    """A model\'s size, and the task\'s metric to be expected of it; None where it has no value."""

    bytes: int
    value: float | None


class Precision(Frozen):
    """What a transformer loses in int8, and so which variant is shipped: int8 up to ``most_loss``.

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


class Column(Frozen):
    """One input as the contract has it; ``seen`` are the lowest and highest value trained on.

    A ``values`` entry's place in the list is its code in the graph's input. Only numbers and
    integers have ``seen``: a date after those trained on is what a service meets every day.
    """

    name: str
    type: ColumnType
    unit: str | None
    description: str
    range: Items[float] | None
    values: Items[Value] | None
    length: Items[int] | None
    normalise: Literal["NFC", "NFKC"] | None
    missing: Literal["allowed", "forbidden"]
    unseen: Literal["reject", "flag"]
    seen: Items[float] | None


class Spelling(Frozen):
    """How the table trained on writes its cells, by which a server reads a client's tables.

    ``missing_in`` has only columns of the model. The encoding is left out: a client sends UTF-8.
    """

    delimiter: str
    quoting: bool
    decimal: Literal[".", ","]
    missing: Items[str]
    missing_in: dict[str, Items[str]]


class Target(Frozen):
    """What is predicted: with a ``threshold``, ``positive`` is answered from it on."""

    labels: Items[str]
    positive: str | None
    threshold: float | None
    unit: str | None
    interval: Interval | None


class Graph(Frozen):
    """The names of the graph's one input (float64, rows by width) and its one output.

    The input has the columns that are not text, in their order, then what each vectoriser gives.
    A transformer's has the numbers of a row's tokens instead (int64, rows by tokens).
    """

    input: str
    output: Literal["probabilities", "value"]


class Explanation(Frozen):
    """The file that says what each column adds to an answer, and how the sums become one.

    Scores become answers through the inverse of ``link``. ``derived`` are the numbers that count
    beside the columns, in the file's order.
    """

    file: str
    sha256: str
    method: Method
    link: Link
    derived: Items[str]


class Parity(Frozen):
    """How far the exported model, in full precision, was from the trained one over the rows."""

    rows: int
    largest_difference: float
    tolerance: float


class Golden(Frozen):
    """A row, as a request has it, and exactly what the graph gives for it alone."""

    input: dict[str, str | int | float | bool | None]
    output: Items[float]


class Hashes(Frozen):
    """SHA-256 of the tables, and of the parameters and our code that trained and exported."""

    data: dict[str, str]
    params: dict[str, str]
    code: dict[str, str]


class Manifest(Frozen):
    """Everything that a server needs and a person may ask of a model, in the file's order."""

    format: Literal[2] = 2
    task: str
    title: str
    problem: Literal["classification", "regression"]
    version: str
    model: ModelFile
    vectorisers: Items[Vectoriser]
    tokenizer: Tokens | None
    precision: Precision | None
    columns: Items[Column]
    target: Target
    spelling: Spelling
    onnx: Graph
    explanation: Explanation | None
    metrics: dict[str, Any]
    parity: Parity
    golden: Items[Golden]
    hashes: Hashes
    libraries: dict[str, str]


def model_file(content: bytes, family: str, estimator: str, rows: int) -> ModelFile:
    """Name the ONNX file after its content."""
    digest = hashlib.sha256(content).hexdigest()
    file = f"model-{digest[:DIGITS]}.onnx"
    return ModelFile(
        family=family, estimator=estimator, file=file, sha256=digest, trained_on_rows=rows
    )


def vectoriser(content: bytes, column: str, features: int) -> Vectoriser:
    """Name a vectoriser's file after its content."""
    file, digest = _named("vectoriser", content, "json")
    return Vectoriser(column=column, file=file, sha256=digest, features=features)


def tokens(content: bytes, separator: str) -> Tokens:
    """Name a tokenizer's file after its content."""
    file, digest = _named("tokenizer", content, "json")
    return Tokens(file=file, sha256=digest, separator=separator)


def explanation(content: bytes, method: Method, link: Link, derived: Items[str]) -> Explanation:
    """Name the file of explanations after its content."""
    file, digest = _named("explain", content, "npz")
    return Explanation(file=file, sha256=digest, method=method, link=link, derived=derived)


def _named(kind: str, content: bytes, ending: str) -> tuple[str, str]:
    digest = hashlib.sha256(content).hexdigest()
    return f"{kind}-{digest[:DIGITS]}.{ending}", digest


def spelling(origin: Origin, columns: Items[Column]) -> Spelling:
    """Describe how cells are written, as the contract's source has it."""
    names = {column.name for column in columns}
    return Spelling(
        delimiter=origin.delimiter,
        quoting=origin.quoting,
        decimal=origin.decimal,
        missing=origin.missing,
        missing_in={name: marks for name, marks in origin.missing_in.items() if name in names},
    )


def target(declared: DeclaredTarget, threshold: float | None, interval: Interval | None) -> Target:
    """Describe what is predicted, as the contract has it and the evaluation decided."""
    return Target(
        labels=declared.labels,
        positive=declared.positive,
        threshold=threshold,
        unit=declared.unit,
        interval=interval,
    )


def version(model: ModelFile, *parts: Frozen) -> str:
    """Return a short hash of all that can change an answer: the model, and what is beside it."""
    content = [model.sha256, *(part.model_dump(mode="json") for part in parts)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:DIGITS]


def columns(declared: dict[str, DeclaredColumn], trained_on: pd.DataFrame) -> tuple[Column, ...]:
    """Describe each column of the contract, with what was seen in the rows trained on."""
    return tuple(
        Column(
            name=name, seen=_seen(column, trained_on[name]), **column.model_dump(exclude=CHECKED)
        )
        for name, column in declared.items()
    )


def _seen(column: DeclaredColumn, values: pd.Series) -> tuple[float, float] | None:
    present = values.dropna()
    if column.type not in ("number", "integer") or present.empty:
        return None
    return float(present.min()), float(present.max())
