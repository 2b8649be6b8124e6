"""A file of later rows is typed as the contract says, or refused with what is wrong."""

from pathlib import Path

import pandas as pd
import pytest

from stages.contract.columns import Column
from stages.contract.target import Target
from stages.monitoring.reading import ReadWindow, read_window
from stages.shared.errors import PipelineError

COLUMNS = {
    "age": Column(type="integer", range=(0.0, 120.0)),
    "kind": Column(type="category", values=("1", "2"), missing="allowed"),
}
TARGET = Target(expression="value")


def read(tmp_path: Path, table: pd.DataFrame) -> ReadWindow:
    path = tmp_path / "later.parquet"
    table.to_parquet(path)
    return read_window(path, COLUMNS, TARGET)


def test_cells_are_typed_and_misfits_listed(tmp_path: Path) -> None:
    found = read(
        tmp_path, pd.DataFrame({"age": ["7", "old", "130", None], "kind": [1, 2, 3, None]})
    )
    assert found.misfits == {"age": ["old", "130", "missing"], "kind": ["3.0"]}
    assert found.table["age"].tolist()[0] == 7
    assert "_target" not in found.table


def test_the_truth_is_read_where_it_is_there(tmp_path: Path) -> None:
    found = read(tmp_path, pd.DataFrame({"age": [1], "kind": ["1"], "value": [2.5]}))
    assert found.table["_target"].tolist() == [2.5]


def test_a_column_that_is_lacking_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="lacks the columns kind; it has age, sort"):
        read(tmp_path, pd.DataFrame({"age": [1], "sort": ["1"]}))


def test_versions_are_never_mixed(tmp_path: Path) -> None:
    table = pd.DataFrame({"age": [1, 2], "kind": ["1", "2"], "_version": ["abc", "def"]})
    with pytest.raises(PipelineError, match="mixes the versions abc, def"):
        read(tmp_path, table)


def test_what_is_no_parquet_is_said(tmp_path: Path) -> None:
    path = tmp_path / "later.parquet"
    path.write_text("age,kind\n", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"later.parquet is no Parquet file"):
        read_window(path, COLUMNS, TARGET)
