"""What the service answers and refuses, as the types that /docs shows."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import Response
from pydantic import BaseModel

from serve.runtime.answers import Answer
from serve.runtime.errors import Finding
from serve.runtime.json_rows import encode_json
from serve.runtime.manifest import Card
from serve.runtime.registered import Registered


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


def as_response(
    content: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(encode_json(content), status, headers, "application/json")


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
