"""A row's split depends on its content and the seed, and on nothing else."""

import datetime as dt
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.contract.split import Split
from stages.preparing.splitting import assign_splits, compute_row_shares
from stages.shared.errors import PipelineError

SPLIT = Split(seed=42, validation=0.2, test=0.2)
DTYPES = {"n": "float64", "i": "Int64", "b": "boolean", "c": "str", "d": "datetime64[us]"}
rows = st.lists(
    st.tuples(
        st.none() | st.floats(allow_nan=False),
        st.none() | st.integers(-(2**53), 2**53),
        st.none() | st.booleans(),
        st.none() | st.text(max_size=3),
        st.none() | st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1)),
    ),
    min_size=1,
    max_size=20,
)
quick = settings(deadline=None, max_examples=50)


def make_table(content: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(content, columns=list(DTYPES), dtype=object).astype(DTYPES)


def make_numbers(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=n), "c": rng.choice([*"xyz"], n)})


def list_shares(*cells: Any, **options: Any) -> list[float]:
    return compute_row_shares(pd.DataFrame({"a": pd.Series(cells, **options)}), seed=1).tolist()


@quick
@given(rows, rows, st.randoms(use_true_random=False))
def test_the_same_row_goes_the_same_way_whatever_else_is_there(
    mine: list[Any], others: list[Any], random: Any
) -> None:
    alone = [compute_row_shares(make_table([row]), 42)[0] for row in mine]
    mixed = [*enumerate(mine), *((-1, row) for row in others)]
    random.shuffle(mixed)
    found = compute_row_shares(make_table([row for _, row in mixed]), 42)
    for (place, _), share in zip(mixed, found, strict=True):
        assert place == -1 or share == alone[place]


@quick
@given(rows, rows)
def test_appending_rows_moves_none(before: list[Any], after: list[Any]) -> None:
    found = assign_splits(make_table(before), pd.DataFrame(), SPLIT)
    later = assign_splits(make_table(before + after), pd.DataFrame(), SPLIT)
    assert later[: len(before)].tolist() == found.tolist()


@quick
@given(rows)
def test_duplicates_go_together(content: list[Any]) -> None:
    first, second = np.split(compute_row_shares(make_table(content + content), 42), 2)
    assert first.tolist() == second.tolist()


def test_rows_that_differ_in_one_cell_are_dealt_apart() -> None:
    base = (1.5, 3, True, "x", dt.datetime(2020, 1, 1))
    others = (1.6, 4, False, "y", dt.datetime(2020, 1, 2))
    changed = [tuple(others[k] if k == i else base[k] for k in range(5)) for i in range(5)]
    missing = [tuple(None if k == i else base[k] for k in range(5)) for i in range(5)]
    assert len(set(compute_row_shares(make_table([base, *changed, *missing]), 42))) == 11


def test_the_order_of_the_columns_does_not_matter() -> None:
    frame = make_numbers(100)
    assert (
        compute_row_shares(frame, 1).tolist() == compute_row_shares(frame[["c", "a"]], 1).tolist()
    )


def test_columns_that_are_not_in_the_contract_do_not_matter() -> None:
    content, raw = make_numbers(100), make_numbers(100).assign(id=range(100))
    found = assign_splits(content, raw, SPLIT)
    assert found.tolist() == assign_splits(content, raw.assign(id="x"), SPLIT).tolist()


def test_the_index_does_not_matter() -> None:
    frame = make_table(
        [(0.5 * i, i, i > 3, str(i), dt.datetime(2020, 1, 1 + i)) for i in range(20)]
    )
    other = frame.set_index(np.arange(20) // 2)
    assert compute_row_shares(frame, 1).tolist() == compute_row_shares(other, 1).tolist()


EQUAL = {
    "integer and float": [pd.Series([7]), pd.Series([7.0]), pd.Series([7], dtype="Int64")],
    "small and large": [pd.Series([7], dtype="int8"), pd.Series([7], dtype="float32")],
    "boolean": [pd.Series([True]), pd.Series([True], dtype="boolean"), pd.Series([1])],
    "zero": [pd.Series([0.0]), pd.Series([-0.0]), pd.Series([0])],
    "text": [
        pd.Series(["x"], dtype="str"),
        pd.Series(["x"], dtype=object),
        pd.Series(["x"], dtype="string"),
        pd.Series(["x"], dtype="category"),
    ],
    "time": [pd.Series(np.array(["2020-01-01"], f"datetime64[{u}]")) for u in ("s", "us", "ns")],
    "missing number": [
        pd.Series([np.nan]),
        pd.Series([-np.nan]),
        pd.Series([None], dtype="Int64"),
        pd.Series([None], dtype="boolean"),
        pd.Series(np.array([0x7FF8_0000_0000_0001], dtype=np.uint64).view(np.float64)),
    ],
    "missing text": [
        pd.Series([None], dtype=t) for t in ("str", "string", object, "category")
    ],
}  # fmt: skip


@pytest.mark.parametrize("columns", EQUAL.values(), ids=EQUAL.keys())
def test_equal_content_is_dealt_equally_whatever_its_type(columns: list[pd.Series]) -> None:
    assert len({compute_row_shares(pd.DataFrame({"a": column}), 1)[0] for column in columns}) == 1


def mix_bits(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def compute_by_hand(row: tuple[float, ...], seed: int) -> float:
    """What pandas 3.1 does to a row of numbers, and the seed after it, in Python's integers."""
    factor, combined = 1000003, 0x345678
    for place, number in enumerate(row):
        bits = struct.unpack("<Q", struct.pack("<d", number))[0]
        combined = (combined ^ mix_bits(bits)) * factor % 2**64
        factor += 82520 + 2 * (len(row) - place)
    mixed = mix_bits((combined + 97531 + seed * 0x9E3779B97F4A7C15) % 2**64)
    return (mixed >> 11) / 2**53


def test_no_release_of_pandas_may_move_rows() -> None:
    content = [(1.0, 2.5, -3.0), (0.0, 1e300, 7.0)]
    found = compute_row_shares(pd.DataFrame(content, columns=[*"abc"]), seed=42)
    assert found.tolist() == [compute_by_hand(row, 42) for row in content]


def test_a_missing_cell_beside_integers_changes_none_of_them() -> None:
    assert list_shares(1, 2, None)[:2] == list_shares(1, 2)


def test_a_text_cannot_be_mistaken_for_a_missing_one() -> None:
    assert len(set(list_shares("nan", "None", "", None, dtype="str"))) == 4


def test_another_seed_deals_differently() -> None:
    frame = make_numbers(2000)
    one, other = (compute_row_shares(frame, seed) for seed in (1, 2))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.1
    assert not set(one) & set(other)


@pytest.mark.parametrize("seed", [0, -1, 2**70])
def test_any_integer_is_a_seed(seed: int) -> None:
    found = compute_row_shares(make_numbers(1000), seed)
    assert ((found >= 0) & (found < 1)).all()
    assert abs(found.mean() - 0.5) < 0.05


@pytest.mark.parametrize(("validation", "test"), [(0.2, 0.2), (0.1, 0.05), (0.3, 0.6)])
def test_the_shares_are_about_those_declared(validation: float, test: float) -> None:
    split = Split(seed=3, validation=validation, test=test)
    found = assign_splits(make_numbers(20_000), pd.DataFrame(), split)
    expected = {"validation": validation, "test": test, "train": 1 - validation - test}
    for name, share in expected.items():
        five_deviations = 5 * (share * (1 - share) / 20_000) ** 0.5
        assert abs((found == name).mean() - share) < five_deviations


def test_neighbouring_numbers_are_dealt_independently() -> None:
    """Integers in sequence differ in few bits; the split must not show it."""
    found = compute_row_shares(pd.DataFrame({"a": np.arange(20_000.0)}), 1)
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.03
    counts, _ = np.histogram(found, bins=20, range=(0, 1))
    assert ((counts - 1000) ** 2 / 1000).sum() < 50  # chi square, 19 degrees: 1 in 10,000


def assign_groups(frame: pd.DataFrame, raw: pd.Series) -> pd.Series:
    split = Split(seed=1, validation=0.2, test=0.2, group="owner")
    return pd.Series(assign_splits(frame, pd.DataFrame({"owner": raw}), split))


def test_a_group_never_straddles() -> None:
    frame = make_numbers(5000)
    owner = pd.Series(np.random.default_rng(1).integers(0, 300, 5000)).astype("str")
    found = assign_groups(frame, owner)
    assert (found.groupby(owner).nunique() == 1).all()
    assert set(found) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    "owner",
    [
        pd.Series(["7", "8", None] * 20, dtype="str"),
        pd.Series(["7.0", "8.0", None] * 20, dtype="str"),
        pd.Series([7, 8, None] * 20, dtype="Int64"),
        pd.Series([7.0, 8.0, None] * 20),
        pd.Series([Decimal(7), Decimal(8), None] * 20),
        pd.Series(["7", "8", None] * 20, dtype=object),
    ],
)
def test_a_group_goes_the_same_way_in_every_file_format(owner: pd.Series) -> None:
    expected = assign_groups(make_numbers(60), pd.Series(["7", "8", None] * 20, dtype="str"))
    assert assign_groups(make_numbers(60), owner).tolist() == expected.tolist()


def assign_times(*cells: str, **bounds: str) -> list[str]:
    time = {"column": "day", "validation_from": "2021-01-01", "test_from": "2021-07-01", **bounds}
    split = Split.parse({"seed": 1, "validation": 0.2, "test": 0.2, "time": time}, "x")
    raw = pd.DataFrame({"day": pd.Series(cells, dtype="str")})
    return assign_splits(make_numbers(len(cells)), raw, split).tolist()


def test_a_time_split_goes_by_its_dates() -> None:
    days = ["2020-12-31T23:59:59", "2021-01-01", "2021-06-30", "2021-07-01", "2030-01-01"]
    assert assign_times(*days) == ["train", "validation", "validation", "test", "test"]


def test_times_are_compared_in_utc() -> None:
    assert assign_times("2021-01-01T00:30+01:00", "2020-12-31T23:30-01:00") == [
        "train",
        "validation",
    ]
    zoned = {"validation_from": "2021-01-01T00:00+01:00", "test_from": "2021-07-01T00:00Z"}
    assert assign_times("2020-12-31T22:59", "2020-12-31T23:00", **zoned) == ["train", "validation"]


def test_typed_dates_split_as_their_text_does() -> None:
    split = Split.parse(
        {
            "seed": 1, "validation": 0.2, "test": 0.2,
            "time": {"column": "d", "validation_from": "2021-01-01", "test_from": "2021-07-01"},
        },
        "x",
    )  # fmt: skip
    days = [dt.date(2020, 1, 1), dt.date(2021, 1, 1), dt.date(2021, 7, 1)]
    for raw in (pd.Series(days), pd.to_datetime(pd.Series(days)).dt.tz_localize("UTC")):
        found = assign_splits(make_numbers(3), pd.DataFrame({"d": raw}), split)
        assert found.tolist() == ["train", "validation", "test"]


def test_a_row_without_a_date_is_refused_by_value() -> None:
    with pytest.raises(PipelineError, match=r"split.time: day holds 'soon', which is no ISO"):
        assign_times("2020-01-01", "soon")
