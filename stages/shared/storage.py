"""Reading and writing files so that a reader never meets a half-written one.

Every file is opened by Python itself, never by a library's own C++ code: that keeps each access
visible to the audit hook which the tests hold against ``dvc.yaml``.
"""

import glob
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

CHUNK_BYTES = 1 << 20


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that replaces ``path`` only when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):  # by a run that was killed
        left.unlink(missing_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with atomic(path) as file:
        file.write(text.encode())


def write_json(path: Path, content: object) -> None:
    """Write JSON in the order given, indented; NaN and infinity are refused with ValueError."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_frame(path: Path, frame: "pd.DataFrame") -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with atomic(path) as file:
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), file)


def read_frame(path: Path, columns: list[str] | None = None) -> "pd.DataFrame":
    import pandas as pd  # a stage without tables starts without it

    with path.open("rb") as file:
        return pd.read_parquet(file, columns=columns)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK_BYTES):
            digest.update(block)
    return digest.hexdigest()
