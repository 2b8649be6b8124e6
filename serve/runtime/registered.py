"""Reads where in a registry a model has its place, from the file that ``commands pull`` leaves."""

import hashlib
import logging
from pathlib import Path

import pydantic
from pydantic import BaseModel

from serve.runtime.manifest import MANIFEST

log = logging.getLogger("serve")
REGISTERED = "registered.json"


class Registered(BaseModel):
    """The model's name, version and alias in a registry, and the commit that made it."""

    name: str
    version: str
    alias: str | None
    commit: str


class _Note(Registered):
    content: str  # the SHA-256 of the manifest that it is about


def read_registered(folder: Path) -> Registered | None:
    """Return the model's place, None where nothing, or nothing of this very model, is noted."""
    try:
        note = _Note.model_validate_json((folder / REGISTERED).read_bytes())
        content = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
    except pydantic.ValidationError as error:  # it is told only: no reason not to serve
        log.warning("%s cannot be read: %s", folder / REGISTERED, error)
        return None
    if note.content != content:
        return None
    return Registered(**note.model_dump(exclude={"content"}))
