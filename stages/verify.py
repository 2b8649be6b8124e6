"""Holds everything DVC tracks against its hash: ``python -m stages.verify`` (or ``make verify``).

DVC never checks its cache: a damaged object is handed out as it is. Here a damaged object is set
aside, so that the next ``dvc repro`` makes it anew.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvc.repo import Repo

from stages import compose
from stages.shared.declare import run_plainly
from stages.shared.errors import PipelineError
from stages.shared.storage import CHUNK_BYTES, read_json, sha256

SET_ASIDE = Path(".dvc/tmp/damaged")


def main() -> None:
    """Print what is damaged or out of date and how to mend it; exit code 1 if there is anything."""
    problems = [*out_of_date(), *damaged_outputs(Repo()), *damaged_exports(Path("models"))]
    if problems:
        sys.exit("\n".join([*problems, "run `make repro` to make them anew"]))
    print("every file, cache object and exported model is what its hash says")


def out_of_date() -> Iterator[str]:
    """Yield what is composed from ``conf/`` and no longer agrees with it."""
    try:
        compose.check()
    except PipelineError as error:
        yield str(error)


def damaged_outputs(repo: Any) -> Iterator[str]:
    """Yield each tracked file whose bytes, here or in the cache, do not have their hash."""
    for out in repo.index.outs:
        if out.hash_info and out.use_cache:
            for path, digest in files(repo, out):
                yield from _damaged(repo, path, digest)


def files(repo: Any, out: Any) -> Iterator[tuple[Path, str]]:
    """Yield each file of an output with its MD5; a folder's list is itself a cache object."""
    path, digest = Path(out.fs_path), str(out.hash_info.value)
    yield path, digest
    listing = _object(repo, digest)
    if digest.endswith(".dir") and listing.exists() and _is_intact(listing, digest):
        for entry in json.loads(listing.read_bytes()):
            yield path / entry["relpath"], entry["md5"]


def damaged_exports(folder: Path) -> Iterator[str]:
    """Yield each exported model whose file is not the one that its manifest names."""
    for manifest in sorted(folder.glob("*/manifest.json")):
        model = read_json(manifest)["model"]
        path = manifest.parent / model["file"]
        if not path.exists() or sha256(path) != model["sha256"]:
            yield f"{path} is not what {manifest} names"


def _damaged(repo: Any, path: Path, digest: str) -> Iterator[str]:
    shown = path.relative_to(repo.root_dir)
    cached = _object(repo, digest)
    if cached.exists() and not _is_intact(cached, digest):
        yield f"{shown}: its cache object {digest} is damaged; set aside in {_set_aside(cached)}"
    if path.is_file() and not _is_intact(path, digest):
        yield f"{shown}: differs from dvc.lock, which says {digest}"


def _object(repo: Any, digest: str) -> Path:
    return Path(repo.cache.local.oid_to_path(digest))


def _is_intact(path: Path, digest: str) -> bool:
    md5 = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(CHUNK_BYTES):
            md5.update(block)
    return md5.hexdigest() == digest.removesuffix(".dir")


def _set_aside(cached: Path) -> Path:
    SET_ASIDE.mkdir(parents=True, exist_ok=True)
    target = SET_ASIDE / f"{cached.parent.name}{cached.name}"
    shutil.move(cached, target)
    return target


if __name__ == "__main__":
    run_plainly("verify", main)
