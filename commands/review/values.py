"""The parameters that changed, one line a value."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ABSENT = "\0"  # no YAML file holds this value


@dataclass(frozen=True)
class Change:
    """A dotted key with its value before and after; None for the side that has no such key.

    A whole part that came or went is one change, whose value says how many values it has.
    """

    key: str
    before: str | None
    after: str | None


def find_changes(old: Any, new: Any) -> list[Change]:
    """Return what differs between two ``params.yaml``, libraries' versions last."""
    found = list(_walk_changes(old, new, ""))
    return sorted(found, key=lambda change: change.key.startswith("libraries."))


def _walk_changes(old: Any, new: Any, key: str) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict | None):
        new = new or {}  # nothing behind a key is as good as an empty part
    elif isinstance(new, dict) and old is None:
        old = {}
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            parts = (old.get(name, ABSENT), new.get(name, ABSENT))
            yield from _walk_changes(*parts, f"{key}.{name}".lstrip("."))
    elif old != new or type(old) is not type(new):
        yield Change(key, _format_value(old), _format_value(new))


def _format_value(value: Any) -> str | None:
    if value == ABSENT:
        return None
    if isinstance(value, dict) and value:
        return f"{_count_leaves(value)} values"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)


def _count_leaves(value: Any) -> int:
    if not isinstance(value, dict):
        return 1
    return sum(map(_count_leaves, value.values()))
