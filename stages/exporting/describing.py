"""Describes an exported model, part by part, in the manifest's own types."""

import hashlib
from collections.abc import Mapping

import pandas as pd

from serve.runtime.manifest import (
    Column,
    Explanation,
    Interval,
    Link,
    Method,
    ModelFile,
    Spelling,
    Target,
    Tokens,
    Vectoriser,
)
from stages.contract.columns import Column as DeclaredColumn
from stages.contract.source import Origin
from stages.contract.target import Target as DeclaredTarget
from stages.evaluating.content import Interval as Evaluated

CHECKED = {"max_missing_share", "checks"}  # what only `validate` goes by
DIGITS = 12  # of a hash, where a short one is enough to tell models apart


def describe_model(content: bytes, family: str, estimator: str, rows: int) -> ModelFile:
    """Name the ONNX file after its content."""
    file, digest = _name_file("model", content, "onnx")
    return ModelFile(
        family=family, estimator=estimator, file=file, sha256=digest, trained_on_rows=rows
    )


def describe_vectoriser(content: bytes, column: str, features: int) -> Vectoriser:
    """Name a vectoriser's file after its content."""
    file, digest = _name_file("vectoriser", content, "json")
    return Vectoriser(column=column, file=file, sha256=digest, features=features)


def describe_tokenizer(content: bytes, separator: str, windows: int = 1) -> Tokens:
    """Name a tokenizer's file after its content."""
    file, digest = _name_file("tokenizer", content, "json")
    return Tokens(file=file, sha256=digest, separator=separator, windows=windows)


def describe_explanation(
    content: bytes, method: Method, link: Link, derived: tuple[str, ...]
) -> Explanation:
    """Name the file of explanations after its content."""
    file, digest = _name_file("explain", content, "npz")
    return Explanation(file=file, sha256=digest, method=method, link=link, derived=derived)


def _name_file(kind: str, content: bytes, ending: str) -> tuple[str, str]:
    digest = hashlib.sha256(content).hexdigest()
    return f"{kind}-{digest[:DIGITS]}.{ending}", digest


def describe_spelling(origin: Origin, columns: tuple[Column, ...]) -> Spelling:
    """Describe how cells are written, as the contract's source has it."""
    names = {column.name for column in columns}
    return Spelling(
        delimiter=origin.delimiter,
        quoting=origin.quoting,
        decimal=origin.decimal,
        decimal_in={name: mark for name, mark in origin.decimal_in.items() if name in names},
        missing=origin.missing,  # what a category lists as a value, the service takes for one
        missing_in={name: marks for name, marks in origin.missing_in.items() if name in names},
    )


def describe_target(
    declared: DeclaredTarget, threshold: float | None, interval: Evaluated | None
) -> Target:
    """Describe what is predicted, as the contract has it and the evaluation decided."""
    return Target(
        labels=declared.labels,
        positive=declared.positive,
        threshold=threshold,
        unit=declared.unit,
        interval=Interval(**interval.model_dump()) if interval else None,
    )


def describe_columns(
    declared: Mapping[str, DeclaredColumn], trained_on: pd.DataFrame
) -> tuple[Column, ...]:
    """Describe each column of the contract, with what was seen in the rows trained on."""
    return tuple(
        Column(
            name=name,
            seen=_find_range(column, trained_on[name]),
            **column.model_dump(exclude=CHECKED),
        )
        for name, column in declared.items()
    )


def _find_range(column: DeclaredColumn, values: pd.Series) -> tuple[float, float] | None:
    present = values.dropna()
    if column.type not in ("number", "integer") or present.empty:
        return None
    return float(present.min()), float(present.max())
