"""Merges two versions of ``dvc.lock`` by stage: each entry is one side's, whole.

An entry says: this command with these inputs gave these outputs. A merge by lines can put inputs of
one side beside outputs of the other, which nobody has seen. Where an entry does not fit what was
merged, DVC runs the stage, or restores it from its run cache.
"""

from collections.abc import Callable, Iterable

Entry = tuple[str, str]  # a stage's name and its text; the file's head goes by the name ""
Choose = Callable[[str, str, list[Entry]], str]


def split_entries(text: str) -> list[Entry]:
    """Cut the text before each stage; what is above the first goes by the name ""."""
    found = [("", "")]
    for line in text.splitlines(keepends=True):
        if line.startswith("  ") and line[2] not in " -":
            found.append((line.strip().removesuffix(":"), ""))
        found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def take_first(first: str, _second: str, _kept: list[Entry]) -> str:
    return first


def merge_entries(
    base: Iterable[Entry],
    ours: Iterable[Entry],
    theirs: Iterable[Entry],
    choose: Choose = take_first,
) -> list[Entry]:
    """Return the entries of both sides, less those that one side took out.

    ``choose`` decides where both sides changed an entry, given what is kept of the stages before.
    """
    old, mine, other = dict(base), dict(ours), dict(theirs)
    kept: list[Entry] = []
    for name in dict.fromkeys([*mine, *other]):
        text = _merge_entry(old.get(name), mine.get(name), other.get(name), choose, kept)
        if text is not None:
            kept.append((name, text))
    return kept


def _merge_entry(
    old: str | None, mine: str | None, other: str | None, choose: Choose, kept: list[Entry]
) -> str | None:
    if other in (mine, old):
        return mine
    if mine == old or mine is None:
        return other
    return mine if other is None else choose(mine, other, kept)
