"""Reads ``models/<task>/manifest.json`` and the files it names, and checks them all."""

import hashlib
from pathlib import Path
from typing import TypeVar

import pydantic
from pydantic import BaseModel, JsonValue
from pydantic_core import ErrorDetails

from serve.runtime.manifest import (
    MANIFEST,
    Explanation,
    Manifest,
    ModelFile,
    Tokens,
    Vectoriser,
    compute_version,
)

FORMAT = 2
T = TypeVar("T", bound=BaseModel)


class ManifestError(Exception):
    """A model that cannot be served: the file, what is wrong with it and what to do."""


class _Header(BaseModel):
    format: JsonValue = None


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of the task that ``folder`` is named after.

    Raises ManifestError that names the key and the value seen.
    """
    content = _read(folder, MANIFEST)
    found = _parse(_Header, content).format
    if found != FORMAT:
        raise ManifestError(f"{MANIFEST} has format {found!r}; this server reads format {FORMAT}")
    manifest = _parse(Manifest, content)
    if manifest.task != folder.name:
        raise ManifestError(f"{MANIFEST} is of task {manifest.task!r}, not {folder.name!r}")
    if (found := compute_version(manifest)) != manifest.version:
        raise ManifestError(
            f"{MANIFEST} was changed after its export: the version of what it describes "
            f"is {found}, it says {manifest.version}; export the task again"
        )
    return manifest


def read_file(folder: Path, entry: ModelFile | Vectoriser | Tokens | Explanation) -> bytes:
    """Read a file that the manifest names; raises ManifestError unless its SHA-256 is there."""
    content = _read(folder, entry.file)
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise ManifestError(
            f"{entry.file} was changed after its export: its sha256 is {found}, "
            f"{MANIFEST} says {entry.sha256}; export the task again"
        )
    return content


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise ManifestError(f"{name} cannot be read: {error.strerror}") from error


def _parse(cls: type[T], content: bytes) -> T:
    try:
        return cls.model_validate_json(content)
    except pydantic.ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors())
        raise ManifestError(f"{MANIFEST} cannot be used: {problems}") from error


def _problem(item: ErrorDetails) -> str:
    key = ".".join(map(str, item["loc"])) or "the whole"
    return f"{key}: {item['msg']}, the value is {str(item['input'])[:80]!r}"
