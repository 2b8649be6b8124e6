"""The base of every typed object: frozen, strict, and no unknown keys."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args

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
            problems = "\n".join(f"  {describe_problem(cls, item)}" for item in error.errors())
            raise PipelineError(f"{where} cannot be used:\n{problems}") from error


def describe_problem(kind: type[BaseModel], item: Any, key: str | None = None) -> str:
    """Return what is wrong with one key, the value seen and, for an unknown key, the known ones.

    ``item`` is one of the errors that pydantic lists for a ``kind``; ``key`` is how to call its
    place, if not by the names inside ``kind``.
    """
    key = key or ".".join(name_place(item)) or "(the whole)"
    if item["type"] == "renamed":
        return f"{key}: {item['msg']}" if item["loc"] else str(item["msg"])
    if item["type"] == "missing":
        return f"{key}: missing"
    if item["type"] == "extra_forbidden":
        known = ", ".join(_list_keys(kind, item["loc"][:-1]))
        return f"{key}: unknown key (its value is {_shorten(item['input'])}); known are {known}"
    message = item["msg"].removeprefix("Value error, ")
    return f"{key}: {message}; the value is {_shorten(item['input'])}"


def name_place(item: Any) -> list[str]:
    """Return the keys that lead to an error, without what pydantic calls parts of a union."""
    places = list(map(str, item["loc"]))
    while places and re.search(r"\[|^constrained-|^function-", places[-1]):
        places.pop()
    return places


def _list_keys(kind: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """Return the keys that the object at a place inside ``kind`` may have."""
    for part in place:
        if part in kind.model_fields:
            inner = list(_find_models(kind.model_fields[str(part)].annotation))
            kind = inner[0] if inner else kind
    return [field.alias or name for name, field in kind.model_fields.items()]


def _find_models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _find_models(part)


def _shorten(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "…"
