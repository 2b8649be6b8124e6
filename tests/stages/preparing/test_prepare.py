"""The stage in a folder of its own: one table in several files gives the same three splits."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages import prepare
from stages.prepare import PrepareParams, raw_columns
from stages.runner.declare import read_params
from stages.shared.errors import PipelineError
from stages.shared.schema import SPLITS, read_schema
from stages.shared.storage import read_frame

ROWS = 300
COLUMNS = {
    "size": {"type": "number"},
    "staff": {"type": "integer"},
    "kind": {"type": "category", "values": [1, 2, 3]},
    "open": {"type": "boolean"},
    "since": {"type": "datetime"},
    "name": {"type": "category", "values": ["a,b", "c;d", "é"]},
}
TASK = {
    "columns": COLUMNS,
    "derived": {"each": "size / staff"},
    "target": {
        "expression": "sales > 100",
        "classes": {"true": "rich", "false": "poor"},
        "positive": "rich",
    },
    "slices": [],
    "split": {"seed": 1, "validation": 0.2, "test": 0.2},
    "on_bad_rows": "fail",
    "max_bad_row_share": 0.05,
}
Prepare = Callable[..., dict[str, pd.DataFrame]]


def make_shops() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(100, 30, ROWS),
            "staff": pd.array(rng.integers(0, 50, ROWS), dtype="Int64"),
            "kind": pd.array(rng.integers(1, 4, ROWS), dtype="Int64"),
            "open": pd.array(rng.random(ROWS) < 0.5, dtype="boolean"),
            "since": pd.to_datetime(rng.integers(0, 2**50, ROWS), unit="us"),
            "name": pd.Series(rng.choice(["a,b", "c;d", "é"], ROWS), dtype="str"),
            "sales": rng.normal(100, 30, ROWS),
        }
    )
    frame["since"] = frame["since"].astype("datetime64[us]")
    for i, name in enumerate(frame.columns):
        frame.loc[frame.index % 17 == i, name] = None
    return frame


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Prepare]:
    monkeypatch.chdir(tmp_path)

    def prepared(origin: dict[str, Any], **changes: Any) -> dict[str, pd.DataFrame]:
        content = {"task": {"shop": {**TASK, "origin": origin, **changes}}}
        Path("params.yaml").write_text(json.dumps(content), encoding="utf-8")
        read_params.cache_clear()
        prepare.main("shop")
        return {name: read_frame(Path(f"data/prepared/shop/{name}.parquet")) for name in SPLITS}

    yield prepared
    read_params.cache_clear()


def assert_same(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    for name in SPLITS:
        pd.testing.assert_frame_equal(one[name], other[name])


def write_plain_csv(frame: pd.DataFrame, name: str, **options: Any) -> dict[str, Any]:
    frame.to_csv(name, index=False, **options)
    return {"path": name}


def test_the_splits_hold_each_row_once_with_its_number(run: Prepare) -> None:
    splits = run(write_plain_csv(make_shops(), "shops.csv"))
    together = pd.concat(splits.values()).sort_values("_row")
    assert together["_row"].tolist() == list(range(1, ROWS + 1))
    assert list(together.columns) == ["_row", *COLUMNS, "_target"]
    np.testing.assert_array_equal(together["size"], make_shops()["size"])
    assert all(len(part) > 30 for part in splits.values())


def test_a_column_to_slice_by_goes_along_and_is_no_field(run: Prepare) -> None:
    make_shops().to_csv("shops.csv", index=False)
    columns = {name: column for name, column in COLUMNS.items() if name != "name"}
    splits = run({"path": "shops.csv"}, columns=columns, slices=["name"])
    found = pd.concat(splits.values()).sort_values("_row")["_slice_name"]
    expected = make_shops()["name"]
    assert found.isna().to_list() == expected.isna().to_list()
    assert found.dropna().to_list() == expected.dropna().to_list()
    assert "name" not in read_schema(Path("data/prepared/shop")).names


def test_the_types_are_those_of_the_contract(run: Prepare) -> None:
    for part in run(write_plain_csv(make_shops(), "shops.csv")).values():
        types = {name: str(dtype) for name, dtype in part.dtypes.items()}
        assert types == {
            "_row": "int64", "size": "float64", "staff": "Int64", "kind": "str",
            "open": "boolean", "since": "datetime64[us]", "name": "str", "_target": "str",
        }  # fmt: skip


def test_parquet_and_every_dialect_of_csv_give_the_same(run: Prepare) -> None:
    frame = make_shops()
    expected = run(write_plain_csv(frame, "shops.csv"))
    others: list[dict[str, Any]] = [
        write_plain_csv(frame.iloc[:, ::-1].assign(more=1), "reordered.csv"),
        {
            **write_plain_csv(frame, "de.csv", sep=";", decimal=","),
            "delimiter": ";",
            "decimal": ",",
        },
        {**write_plain_csv(frame, "latin.csv", encoding="latin-1"), "encoding": "latin-1"},
        write_plain_csv(frame, "windows.csv", encoding="utf-8-sig", lineterminator="\r\n"),
        write_plain_csv(frame, "question.csv", na_rep="?"),
        write_plain_csv(frame, "quoted.csv", quoting=1),
        write_plain_csv(frame.astype({"kind": "float64", "staff": "float64"}), "floats.csv"),
        {**write_plain_csv(frame, "bare.csv", header=False), "header": False},
    ]
    for origin in others:
        assert_same(run(origin), expected)


def test_typed_parquet_gives_the_same(run: Prepare) -> None:
    frame = make_shops()
    expected = run(write_plain_csv(frame, "shops.csv"))
    zoned = frame["since"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    variants = {
        "typed": frame,
        "floats": frame.astype({"kind": "float64", "staff": "float64"}),
        "zone": frame.assign(since=zoned),
        "categorical": frame.astype({"kind": "category", "name": "category"}),
        "objects": frame.astype({"open": object}),
        "filtered": frame.set_index(np.arange(ROWS) * 3),
        "text": frame.astype("str"),
    }
    for name, variant in variants.items():
        variant.to_parquet(f"{name}.parquet")
        assert_same(run({"path": f"{name}.parquet"}), expected)


def test_the_same_run_writes_the_same_bytes(run: Prepare) -> None:
    origin = write_plain_csv(make_shops(), "shops.csv")
    contents = []
    for _ in range(2):
        run(origin)
        contents.append(
            {path.name: path.read_bytes() for path in Path("data/prepared/shop").iterdir()}
        )
    assert contents[0] == contents[1]
    assert len(contents[0]) == 7


def test_cells_that_do_not_fit_are_missing_and_listed(run: Prepare) -> None:
    frame = make_shops().astype("str")
    frame.loc[3, "size"], frame.loc[7, "staff"], frame.loc[9, "sales"] = "large", "2.5", "many"
    splits = run(write_plain_csv(frame, "shops.csv"))
    assert json.loads(Path("data/prepared/shop/unparsed.json").read_text()) == {
        "size": {"count": 1, "rows": [4], "values": ["large"]},
        "staff": {"count": 1, "rows": [8], "values": ["2.5"]},
        "_target": {"count": 1, "rows": [10], "values": ["many"]},
    }
    together = pd.concat(splits.values()).set_index("_row")
    assert pd.isna(together.loc[4, "size"])
    assert pd.isna(together.loc[8, "staff"])
    assert pd.isna(together.loc[10, "_target"])


def test_a_missing_sale_is_a_missing_label(run: Prepare) -> None:
    frame = make_shops()
    together = pd.concat(run(write_plain_csv(frame, "shops.csv")).values()).sort_values("_row")
    sales = frame["sales"]
    expected = np.where(sales.isna(), None, np.where(sales > 100, "rich", "poor")).tolist()
    assert [None if pd.isna(label) else label for label in together["_target"]] == expected


def test_the_schema_holds_what_models_need(run: Prepare) -> None:
    run(write_plain_csv(make_shops(), "shops.csv"))
    schema = read_schema(Path("data/prepared/shop"))
    assert (schema.problem, schema.labels, schema.positive) == (
        "classification", ("poor", "rich"), "rich",
    )  # fmt: skip
    assert schema.names == list(COLUMNS)
    assert {field.name: field.values for field in schema.fields if field.values} == {
        "kind": ("1", "2", "3"),
        "name": ("a,b", "c;d", "é"),
    }
    assert [(made.name, made.expression) for made in schema.derived] == [("each", "size / staff")]


def test_a_range_or_unit_in_the_contract_changes_no_byte(run: Prepare) -> None:
    """So that only `validate` runs again."""
    origin = write_plain_csv(make_shops(), "shops.csv")
    run(origin)
    before = {path.name: path.read_bytes() for path in Path("data/prepared/shop").iterdir()}
    size = {
        "type": "number",
        "range": [0, 1],
        "unit": "m",
        "missing": "allowed",
        "description": "x",
    }
    run(origin, columns={**COLUMNS, "size": size})
    assert {path.name: path.read_bytes() for path in Path("data/prepared/shop").iterdir()} == before


def test_groups_and_times_may_be_columns_of_their_own(run: Prepare) -> None:
    frame = make_shops().assign(owner=np.arange(ROWS) // 3)
    splits = run(write_plain_csv(frame, "shops.csv"), split={**TASK["split"], "group": "owner"})
    owners = [set((part["_row"] - 1) // 3) for part in splits.values()]
    assert not owners[0] & owners[1]
    assert not owners[0] & owners[2]
    assert not owners[1] & owners[2]
    assert "owner" not in splits["train"]
    train = splits["train"]
    assert train["_group"].tolist() == ((train["_row"] - 1) // 3).astype(str).tolist()


@pytest.mark.parametrize(
    ("split", "more"),
    [
        ({}, []),
        ({"group": "owner"}, ["owner"]),
        ({"group": "size"}, []),
        ({"group": "sales"}, []),
        (
            {"time": {"column": "day", "validation_from": "2020-01-01", "test_from": "2020-01-01"}},
            ["day"],
        ),
    ],
)
def test_a_file_without_header_holds_columns_then_target_then_what_splits(
    split: dict[str, Any], more: list[str]
) -> None:
    content = {**TASK, "origin": {"path": "x"}, "split": {**TASK["split"], **split}}
    assert raw_columns(PrepareParams.parse(content, "x")) == [*COLUMNS, "sales", *more]


def test_an_unsuited_file_is_refused_with_the_file_to_mend(run: Prepare) -> None:
    frame = make_shops().rename(columns={"size": "Size"})
    with pytest.raises(PipelineError, match="did you mean 'Size'") as caught:
        run(write_plain_csv(frame, "shops.csv"))
    assert "conf/task/shop.yaml, sources" in str(caught.value)
