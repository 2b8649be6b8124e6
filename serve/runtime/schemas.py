"""The answer to one row, and a model's place in a registry."""

from pydantic import BaseModel
from typing_extensions import TypedDict

from serve.runtime.errors import Finding


class ClassAnswer(TypedDict):
    """The class of one row, with the probability of each class."""

    label: str
    probabilities: dict[str, float]
    warnings: list[Finding]


class ValueAnswer(TypedDict):
    """The value of one row; the interval covers the share of rows that /model/info states."""

    value: float
    interval: tuple[float, float] | None
    unit: str | None
    warnings: list[Finding]


Answer = ClassAnswer | ValueAnswer


class Registered(BaseModel):
    """The model's name, version and alias in a registry, and the commit that made it."""

    name: str
    version: str
    alias: str | None
    commit: str
