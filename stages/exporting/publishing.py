"""Replaces an exported model so that a reader finds a whole one at every moment."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from serve.runtime.manifest import MANIFEST, Manifest
from stages.shared.storage import atomic, write_json, write_text

CARD = "README.md"


def publish(folder: Path, files: Mapping[str, bytes], manifest: Manifest, page: str) -> None:
    """Write the files that the manifest names, card and manifest, then delete all others.

    ``files`` are named after their content: until the manifest is replaced, the old one and what
    it names are there as well.
    """
    for name, content in files.items():
        with atomic(folder / name) as file:
            file.write(content)
    write_text(folder / CARD, page)
    write_json(folder / MANIFEST, manifest.content())
    delete_all_but(folder, {*files, CARD, MANIFEST})


def delete_all_but(folder: Path, kept: set[str]) -> None:
    """Delete what an earlier model left in the folder."""
    for path in sorted(folder.iterdir()):
        if path.name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
