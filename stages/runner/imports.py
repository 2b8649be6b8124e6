"""Finds by reading the code which of our modules, and which libraries, a stage runs."""

import ast
import hashlib
import importlib.metadata
import re
import sys
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

ROOTS = ("stages", "serve")


def list_modules(start: Path) -> list[Path]:
    """Return ``start`` and every file of this repository it imports, at any depth, sorted."""
    found: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [file for name in _read_imports(path) for file in _find_ours(name)]
    return sorted(found, key=lambda path: (path != start, path.as_posix()))


def list_dependencies(files: Collection[Path]) -> list[Path]:
    """Return the files as DVC shall list them: a folder stands for its code if all of it is meant.

    The files directly in ``stages`` and ``serve`` are listed one by one: not one stage runs all.
    """
    whole = {
        folder for folder in {path.parent for path in files} if _list_code(folder) <= set(files)
    }
    whole -= {Path(root) for root in ROOTS}
    return sorted({path.parent if path.parent in whole else path for path in files})


def list_libraries(files: list[Path]) -> list[str]:
    """Return the distributions (as ``scikit-learn``, not ``sklearn``) that the files import."""
    names = {name.split(".")[0] for path in files for name in _read_imports(path)}
    return sorted({find_distribution(name) for name in names if _is_library(name)})


def list_versions(verb: str, *modules_too: str) -> dict[str, str]:
    """Return the installed version of each library that a stage, or a module named, imports."""
    names = set(list_libraries(list_modules(Path("stages", f"{verb}.py"))))
    names |= {find_distribution(module) for module in modules_too}
    return {name: importlib.metadata.version(name) for name in sorted(names)}


def hash_code(verb: str) -> str:
    """Return the SHA-256 over all of our code that a stage runs."""
    texts = (path.read_bytes() for path in list_modules(Path("stages", f"{verb}.py")))
    return hashlib.sha256(b"".join(texts)).hexdigest()


def find_distribution(module: str) -> str:
    """Return the name by which ``requirements.lock`` knows a top-level module."""
    pattern = re.compile(rf"^{re.escape(module)}(/|\.py,|\.[^/,]+\.so,|$)", re.M)
    names = [found.name for found, holds in _read_contents() if pattern.search(holds)]
    return re.sub(r"[-_.]+", "-", min(names, key=len, default=module)).lower()


def _list_code(folder: Path) -> set[Path]:
    return set(folder.rglob("*.py"))


def _is_library(name: str) -> bool:
    return name not in sys.stdlib_module_names and name not in ROOTS


@cache
def _read_contents() -> list[tuple[importlib.metadata.Distribution, str]]:
    """Return each installed distribution with the modules that it names, or else its files.

    ``packages_distributions`` makes a path of every installed file: half a second of each stage.
    """
    return [
        (found, found.read_text("top_level.txt") or found.read_text("RECORD") or "")
        for found in importlib.metadata.distributions()
    ]


@cache
def _read_imports(path: Path) -> frozenset[str]:
    return frozenset(_list_names(ast.parse(path.read_text(encoding="utf-8"))))


def _list_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _find_ours(name: str) -> list[Path]:
    path = Path(*name.split(".")).with_suffix(".py")
    return [path] if path.parts[0] in ROOTS and path.exists() else []
