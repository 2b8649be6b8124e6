"""Environments that hold some distributions and nothing else, made of links to this one."""

import importlib.metadata
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def read_group(name: str) -> list[str]:
    """Return the requirements of a dependency group."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return list(groups[name])


def find_distributions(requirements: Iterable[str]) -> set[str]:
    """Return the names of all distributions that the requirements lead to, installed here."""
    waiting = [Requirement(text) for text in requirements]
    found: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in found:
                continue
            try:
                requires = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:  # `make lock` leaves a few out
                continue
            found.add((name, extra))
            waiting += [
                needed
                for needed in map(Requirement, requires)
                if needed.marker is None or needed.marker.evaluate({"extra": extra})
            ]
    return {name for name, _ in found}


def link_distributions(names: set[str], folder: Path) -> None:
    """Make a folder that holds these distributions and nothing else, by links."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        for file in importlib.metadata.files(name) or []:
            top = file.parts[0]
            if top == ".." or (folder / top).exists():
                continue
            (folder / top).symlink_to(Path(str(file.locate())).parents[len(file.parts) - 1] / top)
