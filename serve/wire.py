"""What goes over the wire: answers, findings and refusals, as the types that /docs shows."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Response
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from serve.manifest import Card

Place = list[str | int]


class Finding(TypedDict):
    """One thing to know about one value: an error of a request, or a warning beside an answer."""

    loc: Annotated[Place, Field(description="where: body, the row's index in a list, the column")]
    msg: Annotated[str, Field(description="what was expected, and what was found instead")]
    type: Annotated[str, Field(description="the kind of finding, for programs")]
    input: Annotated[Any, Field(description="the value seen; long ones are cut")]


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


class Prediction(BaseModel):
    """The answers in the order of the rows, and exactly which model gave them."""

    task: str
    model: str
    version: str
    sha256: str
    predictions: list[Answer]


class Problem(BaseModel):
    """Why a request could not be answered at all."""

    detail: str


class Findings(BaseModel):
    """Everything in a request that does not fit the task's columns."""

    detail: list[Finding]


class Health(BaseModel):
    status: str


class Inventory(BaseModel):
    """What is served: a card for each loaded model, and why each refused one is not."""

    default: str | None
    problem: str | None
    models: list[Card]
    refused: dict[str, str]


class RequestError(Exception):
    """Ends a request with a 4xx or 503 status and its reason."""

    def __init__(self, status: int, detail: str | list[Finding]) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def as_response(content: Mapping[str, object], status: int = 200) -> Response:
    """Return JSON in ASCII alone: a lone surrogate in what a client sent must not break it."""
    return Response(json.dumps(content, allow_nan=False), status, media_type="application/json")
