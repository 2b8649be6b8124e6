"""What DVC tracks: every file of every output, its hash, and its place in the cache."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from stages.shared.storage import CHUNK_BYTES


@dataclass(frozen=True)
class Tracked:
    """A file with its MD5; that of a folder is of the list of its files, and ends in ``.dir``."""

    path: Path  # from the repository's root
    digest: str

    @property
    def is_list(self) -> bool:
        """Whether this is the list of a folder's files, which is itself an object."""
        return self.digest.endswith(".dir")


def list_tracked(repo: Any) -> Iterator[Tracked]:
    """Yield what dvc.lock and the ``.dvc`` files name; a folder's files where its list is here."""
    for out in list_outputs(repo):
        yield from list_files(repo, out)


def list_outputs(repo: Any) -> list[Any]:
    """Return DVC's own objects for the outputs that have a hash and lie in the cache."""
    return [out for out in repo.index.outs if out.hash_info and out.use_cache]


def list_files(repo: Any, out: Any) -> Iterator[Tracked]:
    """Yield an output, and each file in it if it is a folder whose list is here and whole."""
    whole = Tracked(Path(out.fs_path).relative_to(repo.root_dir), str(out.hash_info.value))
    yield whole
    if whole.is_list and (listing := locate_object(repo, whole.digest)).exists():
        yield from parse_list(whole, listing.read_bytes())


def parse_list(folder: Tracked, content: bytes) -> Iterator[Tracked]:
    """Yield the files of a folder by the content of its list; none where that is damaged."""
    if is_intact(BytesIO(content), folder.digest):
        for entry in json.loads(content):
            yield Tracked(folder.path / entry["relpath"], entry["md5"])


def locate_object(repo: Any, digest: str) -> Path:
    """Return where the cache keeps the object with this hash."""
    return Path(repo.cache.local.oid_to_path(digest))


def is_intact(file: IO[bytes], digest: str) -> bool:
    """Tell whether an open file has the bytes that its hash was made of."""
    md5 = hashlib.md5(usedforsecurity=False)
    while block := file.read(CHUNK_BYTES):
        md5.update(block)
    return md5.hexdigest() == digest.removesuffix(".dir")
