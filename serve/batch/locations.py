"""Where a batch reads and writes: a local path, or a URL that fsspec knows."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from serve.files.formats import Format

PIECE = 1 << 20


class LocationError(Exception):
    """A place that cannot be read or written: which, and why."""


@dataclass(frozen=True)
class Location:
    """A file somewhere; ``format`` follows from its ending."""

    name: str

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the place; raises LocationError unless its ending is .csv or .parquet."""
        if Path(name).suffix not in (".csv", ".parquet"):
            raise LocationError(f"{name} must end with .csv or .parquet")
        return cls(name)

    def __str__(self) -> str:
        return self.name

    @property
    def format(self) -> Format:
        return "parquet" if self.name.endswith(".parquet") else "csv"

    @property
    def is_local(self) -> bool:
        return "://" not in self.name

    def with_ending(self, ending: str) -> "Location":
        """Return the place whose name has this ending more."""
        return Location(self.name + ending)

    def exists(self) -> bool:
        """Say whether there is a file; raises LocationError where that cannot be known."""
        return Path(self.name).exists() if self.is_local else bool(self._call_fsspec("exists"))

    def is_same(self, other: "Location") -> bool:
        """Say whether the other name leads to this very file, by a link too."""
        if not (self.is_local and other.is_local):
            return self.name == other.name
        own, another = Path(self.name), Path(other.name)
        try:
            return own.samefile(another)
        except OSError:  # one of them is not there
            return own.absolute() == another.absolute()

    @property
    def work_folder(self) -> Path:
        """Return the local folder for what is not complete yet: the same one every time."""
        if self.is_local:
            return Path(self.name + ".parts")
        digest = hashlib.sha256(self.name.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"serve-batch-{os.getuid()}-{digest}"

    def fetch(self, folder: Path) -> Path:
        """Return a local path with the content, in ``folder`` if it had to be copied."""
        if self.is_local:
            path = Path(self.name)
            if not path.is_file():
                raise LocationError(f"there is no file {self.name}")
            return path
        path = folder / f"input{Path(self.name).suffix}"
        self._call_fsspec("get_file", str(path))
        return path

    def write(self, content: bytes) -> None:
        """Write a small file, whole or not at all."""
        with self.open_replacement() as file:
            file.write(content)

    @contextmanager
    def open_replacement(self) -> Iterator[BinaryIO]:
        """Yield a file that takes this place when the block has ended well.

        An upload shows when it is complete, as object stores do it.
        """
        if self.is_local:
            with _open_replacement(Path(self.name)) as file:
                yield file
            return
        with tempfile.NamedTemporaryFile() as copy:
            yield copy  # type: ignore[misc] # a binary file, but for its name
            copy.flush()
            self._call_fsspec("put_file", copy.name)

    def _call_fsspec(self, action: str, local: str | None = None) -> Any:
        import fsspec

        try:
            system, path = fsspec.core.url_to_fs(self.name)
            if action == "put_file":
                return system.put_file(local, path)
            return getattr(system, action)(*([path, local] if local else [path]))
        except (OSError, ValueError, ImportError) as error:
            reason = str(error) or type(error).__name__
            raise LocationError(f"{self.name} cannot be reached: {reason}") from error


@contextmanager
def _open_replacement(path: Path) -> Iterator[BinaryIO]:
    """Yield a file beside ``path`` that takes its place at once, and only if all went well."""
    made = path.with_name(f"{path.name}.partial")
    try:
        with made.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            made.unlink()
        raise


def append_file(path: Path, file: BinaryIO) -> None:
    """Append a file's content to another."""
    with path.open("rb") as part:
        shutil.copyfileobj(part, file, PIECE)


def hash_file(path: Path) -> str:
    """Return the hash of a file; raises LocationError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LocationError(f"{path} cannot be read: {error.strerror}") from error
