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


class PlaceError(Exception):
    """A place that cannot be read or written: which, and why."""


@dataclass(frozen=True)
class Place:
    """A file somewhere; ``format`` follows from its ending."""

    name: str

    @classmethod
    def of(cls, name: str) -> Self:
        """Return the place; raises PlaceError unless its ending is .csv or .parquet."""
        if Path(name).suffix not in (".csv", ".parquet"):
            raise PlaceError(f"{name} must end with .csv or .parquet")
        return cls(name)

    def __str__(self) -> str:
        return self.name

    @property
    def format(self) -> Format:
        return "parquet" if self.name.endswith(".parquet") else "csv"

    @property
    def is_local(self) -> bool:
        return "://" not in self.name

    def beside(self, ending: str) -> "Place":
        """Return the place whose name has this ending more."""
        return Place(self.name + ending)

    def exists(self) -> bool:
        """Say whether there is a file; raises PlaceError where that cannot be known."""
        return Path(self.name).exists() if self.is_local else bool(self._ask("exists"))

    def work_folder(self) -> Path:
        """Return the local folder for what is not complete yet: the same one every time."""
        if self.is_local:
            return Path(self.name + ".parts")
        digest = hashlib.sha256(self.name.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"serve-batch-{os.getuid()}-{digest}"

    def fetched(self, folder: Path) -> Path:
        """Return a local path with the content, in ``folder`` if it had to be copied."""
        if self.is_local:
            path = Path(self.name)
            if not path.is_file():
                raise PlaceError(f"there is no file {self.name}")
            return path
        path = folder / f"input{Path(self.name).suffix}"
        self._ask("get_file", str(path))
        return path

    def write(self, content: bytes) -> None:
        """Write a small file, whole or not at all."""
        with self.writing() as file:
            file.write(content)

    @contextmanager
    def writing(self) -> Iterator[BinaryIO]:
        """Yield a file that takes this place when the block has ended well.

        An upload shows when it is complete, as object stores do it.
        """
        if self.is_local:
            with _replacing(Path(self.name)) as file:
                yield file
            return
        with tempfile.NamedTemporaryFile() as copy:
            yield copy  # type: ignore[misc] # a binary file, but for its name
            copy.flush()
            self._ask("put_file", copy.name)

    def _ask(self, action: str, local: str | None = None) -> Any:
        import fsspec

        try:
            system, path = fsspec.core.url_to_fs(self.name)
            if action == "put_file":
                return system.put_file(local, path)
            return getattr(system, action)(*([path, local] if local else [path]))
        except (OSError, ValueError, ImportError) as error:
            reason = str(error) or type(error).__name__
            raise PlaceError(f"{self.name} cannot be reached: {reason}") from error


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
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


def copy_into(path: Path, file: BinaryIO) -> None:
    """Append a file's content to another."""
    with path.open("rb") as part:
        shutil.copyfileobj(part, file, PIECE)


def sha256_of(path: Path) -> str:
    """Return the hash of a file; raises PlaceError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PlaceError(f"{path} cannot be read: {error.strerror}") from error
