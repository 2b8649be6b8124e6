"""Hands out the files behind a ``dvc.lock`` by their hash: from DVC's cache, or its remote."""

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from stages.shared.errors import PipelineError


class MissingError(PipelineError):
    """Says which file cannot be had, and why; a report repeats it and goes on."""


class Store:
    """DVC's cache, with its default remote behind it where one is configured."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trouble = ""  # why the remote could not be asked

    def read(self, path: str, digest: str) -> bytes:
        """Return the file ``path`` with the MD5 ``digest``, wherever it still lies.

        Raises MissingError where neither the cache, the remote nor the workspace has it.
        """
        for place in (self._object(digest), self.root / path):
            content = place.read_bytes() if place.is_file() else b""
            if _hash_content(content) == digest:
                return content
        raise MissingError(
            f"{path} ({digest[:7]}) is not in DVC's cache{self.trouble or self._advice}"
        )

    def digest(self, path: str) -> str | None:
        """Return the MD5 that DVC has for a file or folder of the workspace; None without it."""
        place = self.root / path
        if not place.is_dir():
            return _hash_content(place.read_bytes()) if place.exists() else None
        files = map(Path, self._repo.dvcignore.find(self._repo.fs, str(place)))
        found = {
            path.relative_to(place).as_posix(): _hash_content(path.read_bytes()) for path in files
        }
        listing = [{"md5": found[name], "relpath": name} for name in sorted(found)]
        return f"{_hash_content(json.dumps(listing).encode())}.dir"

    def fetch(self, digests: Iterable[str]) -> None:
        """Pull what the cache lacks from the remote, all at once; what fails is missing later."""
        lacking = [digest for digest in digests if not self._object(digest).exists()]
        if lacking and self._remote:
            from dvc.exceptions import DvcException
            from dvc_data.hashfile.hash_info import HashInfo

            try:
                self._repo.cloud.pull([HashInfo("md5", digest) for digest in lacking])
            except (DvcException, OSError) as error:
                self.trouble = f"; the remote {self._remote} cannot be asked: {error}"

    @property
    def _remote(self) -> str | None:
        name = self._repo.config["core"].get("remote")
        return str(name) if name else None

    @property
    def _advice(self) -> str:
        return f" or remote {self._remote}" if self._remote else ", and no remote is configured"

    @cached_property
    def _repo(self) -> Any:
        from dvc.repo import Repo

        return Repo(str(self.root))

    def _object(self, digest: str) -> Path:
        return Path(self._repo.cache.local.oid_to_path(digest))


def _hash_content(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
