"""A large plain file is read with Arrow, cell for cell as pandas reads it."""

from pathlib import Path

import pandas as pd
import pytest

from stages.contract.source import Origin
from stages.preparing import quick_csv
from stages.preparing.parsing import read_raw
from stages.preparing.quick_csv import read_quickly

CELLS = (" NA ", "", "1e5", "00", "true", "2024-01-01", "é 名", "it's", "nan", "NULL", "\t")
TEXT = "a,b,c\n" + "".join(f"{x},{y},{n}\n" for n, x in enumerate(CELLS) for y in CELLS)
ODD = {
    "a quote": TEXT + '"x",y,z\n',
    "a carriage return": TEXT.replace("\n", "\r\n"),
    "a blank line": TEXT + "\n\n",
    "a mark": "\ufeff" + TEXT,
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_csv, "SMALL", 0)


def read(path: Path) -> pd.DataFrame | None:
    return read_quickly(path, Origin(path=str(path)), ["a", "b", "c"])


def test_the_cells_are_those_that_pandas_reads(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(TEXT, encoding="utf-8")
    quick = read(path)
    assert quick is not None
    expected = pd.read_csv(path, dtype=str, na_filter=False, quoting=3)
    pd.testing.assert_frame_equal(quick, expected)
    plain = read_raw(Origin(path=str(path)), ["c", "a"], "here")
    assert plain["a"].isna().sum() == 2 * len(CELLS) + len(CELLS) * 2  # NA, blank, nan and a tab


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_a_file_on_which_readers_may_differ_is_left_to_pandas(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    assert read(path) is None
