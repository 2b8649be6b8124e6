"""A file is replaced whole or not at all, and what is read is what was written."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.shared.storage import (
    CHUNK_BYTES,
    atomic,
    read_frame,
    read_json,
    sha256,
    write_frame,
    write_json,
    write_text,
)

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "file.txt"


def listed(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_a_new_file_and_its_folder_are_made(path: Path) -> None:
    write_text(path, "héllo\n")
    assert path.read_bytes() == "héllo\n".encode()
    assert listed(path) == ["file.txt"]


def test_nothing_is_seen_before_the_block_ends(path: Path) -> None:
    write_text(path, "old")
    with atomic(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_an_error_leaves_the_old_content_and_no_other_file(
    path: Path, error: type[BaseException]
) -> None:
    def fail_halfway() -> None:
        with atomic(path) as file:
            file.write(b"half")
            raise error

    write_text(path, "old")
    with pytest.raises(error):
        fail_halfway()
    assert path.read_text() == "old"
    assert listed(path) == ["file.txt"]


def test_an_error_leaves_no_file_where_there_was_none(path: Path) -> None:
    with pytest.raises(ValueError, match="no"), atomic(path):
        raise ValueError("no")
    assert listed(path) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from stages.shared.storage import atomic
with atomic(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_the_old_content_and_the_next_one_clears_up(path: Path) -> None:
    path = path.with_name("file[1].txt")  # a name that is no pattern
    write_text(path, "old")
    write_text(path.with_name(".other.txt.1.tmp"), "of another file")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    write_text(path, "new")
    assert path.read_text() == "new"
    assert listed(path) == [".other.txt.1.tmp", "file[1].txt"]


def test_a_file_shared_with_a_cache_is_replaced_and_not_written_into(path: Path) -> None:
    """DVC may link an output to its cache."""
    write_text(path, "old")
    cached = path.with_name("cached")
    os.link(path, cached)
    write_text(path, "new")
    assert cached.read_text() == "old"


def test_the_file_has_the_rights_that_a_new_file_has(path: Path) -> None:
    write_text(path, "x")
    plain = path.with_name("plain")
    plain.write_text("x")
    assert path.stat().st_mode == plain.stat().st_mode


def test_json_is_read_as_it_was_written_in_its_order(path: Path) -> None:
    content = {"b": [1, 2.5, None, True], "a": {"é": "ü"}}
    write_json(path, content)
    assert read_json(path) == content
    assert list(read_json(path)) == ["b", "a"]
    assert path.read_bytes().endswith(b"\n")
    assert "é" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_json_holds_no_number_that_other_programs_cannot_read(path: Path, number: float) -> None:
    write_json(path, {"x": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"x": number})
    assert read_json(path) == {"x": 1}


def prepared() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "_row": np.array([1, 2, 3], dtype=np.int64),
            "number": [0.1, np.nan, -1e300],
            "integer": pd.array([1, None, 2**53], dtype="Int64"),
            "category": pd.Series(["3", None, "é"], dtype="str"),
            "boolean": pd.array([True, None, False], dtype="boolean"),
            "since": pd.Series(pd.to_datetime(["2020-01-01", None, "1900-01-01"])).astype("M8[us]"),
        }
    )


def test_a_table_keeps_its_values_and_types(path: Path) -> None:
    write_frame(path, prepared())
    pd.testing.assert_frame_equal(read_frame(path), prepared())


def test_only_some_columns_are_read_where_they_are_named(path: Path) -> None:
    write_frame(path, prepared())
    assert list(read_frame(path, ["since", "number"]).columns) == ["since", "number"]


def test_the_index_is_not_written(path: Path) -> None:
    write_frame(path, prepared().set_index(pd.Index([9, 9, 9])))
    pd.testing.assert_frame_equal(read_frame(path), prepared())


def test_an_empty_table_keeps_its_types(path: Path) -> None:
    write_frame(path, prepared().iloc[:0])
    pd.testing.assert_frame_equal(read_frame(path), prepared().iloc[:0])


def test_the_same_table_gives_the_same_bytes(path: Path) -> None:
    write_frame(path, prepared())
    first = path.read_bytes()
    write_frame(path, prepared())
    assert path.read_bytes() == first


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 1])
def test_the_hash_is_sha_256(path: Path, size: int) -> None:
    content = b"x" * size
    with atomic(path) as file:
        file.write(content)
    assert sha256(path) == hashlib.sha256(content).hexdigest()


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """The paths that Python's own ``open`` was asked for, as the tracing test sees them."""
    names: list[str] = []
    active = [True]
    sys.addaudithook(
        lambda event, args: names.append(str(args[0])) if active[0] and event == "open" else None
    )
    yield names
    active[0] = False


def test_tables_are_opened_by_python_itself(path: Path, opened: list[str]) -> None:
    """A path handed to C++ code would be an access that no test can see."""
    write_frame(path, prepared())
    read_frame(path)
    sha256(path)
    assert [name for name in opened if name == str(path)] == [str(path)] * 2
    assert any(name.startswith(str(path.with_name(".file.txt"))) for name in opened)
