"""What goes over the wire: answers, findings and refusals, as the types that /docs shows."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

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
    request_id: str
    predictions: list[Answer]


class Problem(BaseModel):
    """Why a request could not be answered at all."""

    detail: str


class Findings(BaseModel):
    """Everything in a request that does not fit the task's columns."""

    detail: list[Finding]


class Health(BaseModel):
    status: str


class TaskState(BaseModel):
    """Whether a task is served, by which version, and what there is to know of its newest model."""

    serves: bool
    version: str | None
    detail: str | None


class Readiness(BaseModel):
    """Whether every task is served, and the state of each."""

    ready: bool
    problem: str | None
    tasks: dict[str, TaskState]


class Reloaded(BaseModel):
    """What became of each task's model when it was read again; /ready has the reasons."""

    tasks: dict[str, Literal["unchanged", "served", "refused", "removed"]]


class Registered(BaseModel):
    """The model's name, version and alias in a registry, and the commit that made it."""

    name: str
    version: str
    alias: str | None
    commit: str


class Info(Card):
    """A model's card, and its place in a registry, null where none knows it."""

    registered: Registered | None

    @classmethod
    def of(cls, card: Card, registered: Registered | None) -> "Info":
        known = {name: getattr(card, name) for name in Card.model_fields}
        return cls.model_construct(**known, registered=registered)


class Inventory(BaseModel):
    """What is served: a card for each loaded model, and why each refused one is not."""

    default: str | None
    problem: str | None
    models: list[Info]
    refused: dict[str, str]


class RequestError(Exception):
    """Ends a request with a 4xx or 503 status, its reason, and perhaps headers of its own."""

    def __init__(
        self, status: int, detail: str | list[Finding], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def as_json(content: Mapping[str, object] | Sequence[object]) -> bytes:
    """Return JSON in ASCII alone: a lone surrogate in what a client sent must not break it."""
    return json.dumps(content, allow_nan=False).encode("ascii")


def as_response(
    content: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(as_json(content), status, headers, "application/json")


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "the body is not JSON in UTF-8"},
    401: {"model": Problem, "description": "the server wants an API key, and got none it knows"},
    403: {"model": Problem, "description": "the API key lacks the scope for this"},
    404: {"model": Problem, "description": "no such task, or none that is the default"},
    413: {"model": Problem, "description": "too many rows or bytes"},
    415: {"model": Problem, "description": "the Content-Type is not application/json"},
    422: {"model": Findings, "description": "all values that do not fit the task's columns"},
    429: {"model": Problem, "description": "too many requests; Retry-After says how long to wait"},
    503: {"model": Problem, "description": "the model could not be loaded, or is too busy"},
}
# Of every route that wants a key.
GUARDED: dict[int | str, dict[str, Any]] = {code: ERRORS[code] for code in (401, 403, 429)}
