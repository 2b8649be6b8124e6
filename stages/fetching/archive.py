"""Joins members of a published zip archive into one table, each with constants of its own.

The SHA-256 of each member decides whether it is the right one. The archive has none: hosts pack
the same files anew, and a mirror need not pack them at all.
"""

import csv
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from stages.contract.source import Member, Origin
from stages.fetching.download import (
    DownloadError,
    Patience,
    fill,
    locate_mirrored,
    locate_official,
    report_failure,
    verify,
)
from stages.shared import storage
from stages.shared.errors import PipelineError

# Damaged, of a method that Python does not know, behind a password, or cut off.
UNREADABLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError)


@dataclass(frozen=True)
class Gathering:
    """What to gather for a task, as ``contract`` (the file's name) says, and from where."""

    origin: Origin
    task: str
    contract: str
    mirror: str | None = None
    patience: Patience | None = None

    @property
    def path(self) -> Path:
        """Where the joined table goes."""
        return Path(self.origin.path)


def gather(work: Gathering) -> None:
    """Write the rows of all members, with their constants at the end, to the origin's path.

    From a mirror each member is taken as a file of its own. Raises PipelineError, with the path as
    it was, where a member cannot be had, is not the one expected, or holds rows of other widths.
    """
    work.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work.path.parent) as scratch:
        files = [Path(scratch, str(number)) for number in range(len(work.origin.members))]
        if work.mirror:
            _copy_from_mirror(work, work.mirror, files)
        else:
            _extract_from_archive(work, files)
        with storage.atomic(work.path) as table:
            _join(work, files, table)


def _copy_from_mirror(work: Gathering, mirror: str, files: Sequence[Path]) -> None:
    for member, file in zip(work.origin.members, files, strict=True):
        place = locate_mirrored(mirror, work.task, PurePosixPath(member.name).name)
        with report_failure(place, work.path), file.open("wb") as copy:
            fill(copy, place, work.patience or Patience())
            verify(copy, member.sha256, _name_key(member, work.contract))


def _extract_from_archive(work: Gathering, files: Sequence[Path]) -> None:
    place = locate_official(work.origin.url or "", work.contract)
    with report_failure(place, work.path), tempfile.TemporaryFile(dir=work.path.parent) as packed:
        fill(packed, place, work.patience or Patience())
        with _open_archive(packed) as archive:
            for member, file in zip(work.origin.members, files, strict=True):
                _extract(archive, member, file, work.contract)


@contextmanager
def _open_archive(packed: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(packed) as archive:
            yield archive
    except UNREADABLE as error:
        raise DownloadError(f"it does not read as a zip archive: {error}") from error


def _extract(archive: zipfile.ZipFile, member: Member, path: Path, contract: str) -> None:
    with archive.open(_find_entry(archive, member)) as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file, storage.CHUNK_BYTES)
        verify(file, member.sha256, _name_key(member, contract))


def _name_key(member: Member, contract: str) -> str:
    return f"that of {member.name} (sources.….members in {contract})"


def _find_entry(archive: zipfile.ZipFile, member: Member) -> str:
    """Return the path in the archive that is the member's name or ends with it."""
    names = [name for name in archive.namelist() if not name.endswith("/")]
    found = [name for name in names if f"/{name}".endswith(f"/{member.name}")]
    if member.name in found:
        return member.name
    if len(found) != 1:
        which = f"{len(found)} members" if found else "no member"
        raise DownloadError(f"it holds {which} called {member.name}; it holds {', '.join(names)}")
    return found[0]


def _join(work: Gathering, files: Sequence[Path], table: IO[bytes]) -> None:
    """Write one CSV file in the layout that the origin declares, its header once."""
    header: list[str] | None = None
    for member, file in zip(work.origin.members, files, strict=True):
        rows = _read_rows(work, member, file)
        if work.origin.header:
            own = [*next(rows, []), *member.values]
            if header is None:
                _write(work.origin, table, iter([own]))
            elif own != header:
                raise _make_misfit_error(work, member, f"its header is {own}, not {header}")
            header = own
        _write(work.origin, table, ([*row, *member.values.values()] for row in rows))


def _read_rows(work: Gathering, member: Member, path: Path) -> Iterator[list[str]]:
    """Yield a member's rows, all of one width; empty lines are none."""
    origin = work.origin
    width = len(origin.names) - len(member.values) if origin.names else None
    with path.open(encoding=origin.encoding, newline="") as file:
        try:
            lines = csv.reader(file, delimiter=origin.delimiter, quoting=origin.csv_quoting)
            for row in filter(None, lines):
                width = len(row) if width is None else width
                if len(row) != width:
                    what = f"line {lines.line_num} has {len(row)} cells, not {width}"
                    raise _make_misfit_error(work, member, what)
                yield row
        except (UnicodeDecodeError, csv.Error) as error:
            raise _make_misfit_error(work, member, str(error)) from error


def _write(origin: Origin, table: IO[bytes], rows: Iterator[list[str]]) -> None:
    csv.writer(
        _Encoded(table, origin.encoding),
        delimiter=origin.delimiter,
        quoting=origin.csv_quoting,
        quotechar='"' if origin.quoting else None,  # without quoting it is a character as others
        lineterminator="\n",
    ).writerows(rows)


@dataclass(frozen=True)
class _Encoded:
    """The one method of a text file that a CSV writer calls, over a binary file."""

    file: IO[bytes]
    encoding: str

    def write(self, text: str) -> None:
        """Write text in the table's encoding."""
        self.file.write(text.encode(self.encoding))


def _make_misfit_error(work: Gathering, member: Member, what: str) -> PipelineError:
    return PipelineError(
        f"the member {member.name} is not the table that sources in {work.contract} describes: "
        f"{what}; change names, header, delimiter, quoting or encoding there\n"
        f"  {work.path} was not touched"
    )
