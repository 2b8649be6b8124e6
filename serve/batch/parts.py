"""What of a batch is done: numbered parts in a folder, each complete or not there.

``part-00003.json`` is written last and says that part 3 is complete; ``job.json`` says what all of
them are parts of. So whatever moment a process is killed at, the next one knows what to trust.
"""

import fcntl
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from serve.batch.locations import Location, LocationError, append_file
from serve.files.table import Summary

JOB, LOCK = "job.json", "lock"


@dataclass
class Part:
    """A part that is being written; ``is_last`` says that no rows come after it."""

    file: BinaryIO
    bad_file: BinaryIO
    is_first: bool
    summary: Summary
    is_last: bool = False


class Parts:
    """The parts of one output, in a folder that this process has locked."""

    def __init__(self, folder: Path, ending: str) -> None:
        self.folder, self._ending = folder, ending
        self._done: list[dict[str, Any]] = []

    @classmethod
    @contextmanager
    def lock(cls, out: Location) -> Iterator[Self]:
        """Yield the parts of ``out``; raises LocationError while another process writes them."""
        folder = out.work_folder
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            lock = (folder / LOCK).open("wb")
        except OSError as error:
            raise LocationError(f"{folder} cannot be made: {error.strerror}") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LocationError(f"{out} is being written by another process") from error
            yield cls(folder, Path(out.name).suffix)

    def begin(self, identity: dict[str, Any]) -> None:
        """Keep the parts that are there if they belong to this job, else take them away."""
        path = self.folder / JOB
        if not path.exists() or json.loads(path.read_bytes()) != identity:
            for old in self.folder.glob("part-*"):
                old.unlink()
            Location(str(path)).write(json.dumps(identity).encode())
        self._done = []
        while self._path(".json").exists():
            self._done.append(json.loads(self._path(".json").read_bytes()))

    @property
    def rows(self) -> int:
        """How many rows the complete parts hold."""
        return sum(part["rows"] for part in self._done)

    @property
    def is_incomplete(self) -> bool:
        return not (self._done and self._done[-1]["is_last"])

    @contextmanager
    def open_next(self) -> Iterator[Part]:
        """Yield the next part; it is complete if the block ends well."""
        with (
            Location(str(self._path(self._ending))).open_replacement() as file,
            Location(str(self._path(".bad.csv"))).open_replacement() as bad_file,
        ):
            part = Part(file, bad_file, is_first=not self._done, summary=Summary())
            yield part
        done = {**vars(part.summary), "is_last": part.is_last}
        Location(str(self._path(".json"))).write(json.dumps(done).encode())
        self._done.append(done)

    def sum_up(self) -> Summary:
        """Return what became of the rows of all parts."""
        total = Summary()
        for part in self._done:
            total.rows += part["rows"]
            total.bad += part["bad"]
            total.warned += part["warned"]
            total.checks.update(Counter(part["checks"]))
        return total

    def join(self, out: Location) -> None:
        """Write the output from its parts, whole or not at all."""
        paths = [self._path(self._ending, number) for number in range(len(self._done))]
        with out.open_replacement() as file:
            if out.format == "parquet":
                _join_parquet(paths, file)
            else:
                for path in paths:
                    append_file(path, file)

    def join_bad_rows(self, place: Location) -> None:
        with place.open_replacement() as file:
            for number in range(len(self._done)):
                append_file(self._path(".bad.csv", number), file)

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def _path(self, ending: str, number: int | None = None) -> Path:
        """Return a file of a part, by default of the one that comes next."""
        place = len(self._done) if number is None else number
        return self.folder / f"part-{place:05}{ending}"


def _join_parquet(paths: list[Path], file: BinaryIO) -> None:
    """Write the row groups of all files into one."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(paths[0])
    with pq.ParquetWriter(file, schema) as writer:
        for path in paths:
            with pq.ParquetFile(path) as part:
                for group in range(part.num_row_groups):
                    writer.write_table(part.read_row_group(group))
