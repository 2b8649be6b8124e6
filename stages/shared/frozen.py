"""The base of every typed object: frozen, strict, and no unknown keys."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from stages.shared.errors import PipelineError

T = TypeVar("T")
# YAML and JSON know lists only; a frozen object holds tuples. The items stay strictly typed.
Items = Annotated[tuple[T, ...], Field(strict=False)]


class Frozen(BaseModel):
    """An immutable object made from YAML or JSON that refuses unknown keys and wrong types.

    ``renamed`` maps each key that had another name to its new one, for the message to a file that
    still has the old.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    renamed: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _refuse_old_names(cls, content: Any) -> Any:
        old = [name for name in cls.renamed if isinstance(content, dict) and name in content]
        if old:
            names = ", ".join(
                f"{name} = {_shorten(content[name])} is now called {cls.renamed[name]}"
                for name in old
            )
            raise PydanticCustomError("renamed", f"{names}: rename it")
        return content

    def __getstate__(self) -> dict[Any, Any]:
        """Leave out the set of given names: its order, and so the pickle, differs in each run."""
        return {**super().__getstate__(), "__pydantic_fields_set__": set()}

    @classmethod
    def parse(cls, content: object, where: str) -> Self:
        """Make the object from plain data.

        Raises PipelineError that names ``where``, and each key with the value seen.
        """
        try:
            return cls.model_validate(content)
        except pydantic.ValidationError as error:
            problems = "\n".join(f"  {_describe_problem(item)}" for item in error.errors())
            raise PipelineError(f"{where} cannot be used:\n{problems}") from error


def _describe_problem(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"]) or "(the whole)"
    if item["type"] == "missing":
        return f"{key}: missing"
    if item["type"] == "renamed":
        return f"{key}: {item['msg']}" if item["loc"] else str(item["msg"])
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key (its value is {_shorten(item['input'])})"
    message = item["msg"].removeprefix("Value error, ")
    return f"{key}: {message}; the value is {_shorten(item['input'])}"


def _shorten(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "…"
