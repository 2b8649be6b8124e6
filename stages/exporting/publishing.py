"""Replaces an exported model so that a reader finds a whole one at every moment."""

import shutil
from pathlib import Path

from stages.exporting.manifest import Manifest
from stages.shared.storage import atomic, write_json, write_text

MANIFEST, CARD = "manifest.json", "README.md"


def publish(folder: Path, model: bytes, manifest: Manifest, page: str) -> None:
    """Write model, card and manifest into ``folder``, then delete what they do not name.

    Until the manifest is replaced, the old one and the model that it names are both there.
    """
    with atomic(folder / manifest.model.file) as file:
        file.write(model)
    write_text(folder / CARD, page)
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))
    _delete_all_but(folder, {manifest.model.file, CARD, MANIFEST})


def _delete_all_but(folder: Path, kept: set[str]) -> None:
    for path in sorted(folder.iterdir()):
        if path.name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
