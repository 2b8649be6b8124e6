"""What is wrong with a request or a value in it, as the types that /docs shows."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

Loc = list[str | int]


class Finding(TypedDict):
    """One thing to know about one value: an error of a request, or a warning beside an answer."""

    loc: Annotated[Loc, Field(description="where: body, the row's index in a list, the column")]
    msg: Annotated[str, Field(description="what was expected, and what was found instead")]
    type: Annotated[str, Field(description="the kind of finding, for programs")]
    input: Annotated[Any, Field(description="the value seen; long ones are cut")]


class RequestError(Exception):
    """Ends a request with a 4xx or 503 status, its reason, and perhaps headers of its own."""

    def __init__(
        self, status: int, detail: str | list[Finding], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
