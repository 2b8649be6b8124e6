"""Nested parameters as flat ones: each value by the path of keys that leads to it."""

from collections.abc import Mapping
from typing import Any, Final

Key = tuple[Any, ...]


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


MOST_SHOWN = 8
ABSENT: Final = _Absent()  # stands for the value of a key that is not there


def flatten(content: Any, key: Key = ()) -> dict[Key, Any]:
    """Return each value by its path; an empty mapping counts as a value, and so does a list."""
    if not isinstance(content, dict) or not (content or not key):
        return {key: content}
    parts = (flatten(value, (*key, part)) for part, value in content.items())
    return {path: value for part in parts for path, value in part.items()}


def find_changes(here: Mapping[Key, Any], there: Mapping[Key, Any]) -> dict[Key, Any]:
    """Return the values that ``here`` sets otherwise than ``there``; ABSENT where it has none."""
    changed = {key: value for key, value in here.items() if there.get(key, ABSENT) != value}
    above = {key[:depth] for key in [*here] for depth in range(len(key))}
    gone = {key: ABSENT for key in there if key not in here and key not in above}
    return {**changed, **{k: v for k, v in gone.items() if not _has_ancestor(k, changed)}}


def _has_ancestor(key: Key, changed: Mapping[Key, Any]) -> bool:
    return any(key[:depth] in changed for depth in range(len(key)))


def join_key(key: Key) -> str:
    return ".".join(map(str, key))


def describe_changes(values: Mapping[Key, Any], given: Mapping[Key, Any]) -> str:
    """Return a line for each value, with what was given for it before; many are cut short."""
    lines = [f"  {join_key(key)}: {given.get(key, ABSENT)!r} → {values[key]!r}" for key in values]
    more = len(lines) - MOST_SHOWN
    return "\n".join(lines[:MOST_SHOWN]) + (f"\n  … and {more} more" if more > 0 else "")
