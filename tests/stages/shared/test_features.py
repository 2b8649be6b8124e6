"""The features equal those of scikit-learn's transformers; each encoding is as documented."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from stages.shared.features import Featurizer, encode, encode_column, encode_target
from stages.shared.schema import Derived, Field, Schema

KINDS, ZONES = ["food", "books", "<1H"], ["1", "2"]
SCHEMA = Schema(
    problem="regression",
    fields=(
        Field(name="size", type="number"),
        Field(name="kind", type="category", values=tuple(KINDS)),
        Field(name="staff", type="integer"),
        Field(name="open", type="boolean"),
        Field(name="zone", type="category", values=tuple(ZONES)),
        Field(name="since", type="datetime"),
        Field(name="full", type="number"),
    ),
    derived=(Derived(name="each", expression="size / staff"),),
)
NUMBERS = ["size", "staff", "open", "since", "full", "each"]


def shops(seed: int, rows: int = 200, missing: float = 0.1) -> pd.DataFrame:
    """A prepared table with gaps, unseen categories and zeros to divide by."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(1e3, 1e2, rows),
            "kind": pd.Series(rng.choice([*KINDS, "unseen"], rows), dtype="str"),
            "staff": pd.array(rng.integers(0, 4, rows), dtype="Int64"),
            "open": pd.array(rng.random(rows) < 0.5, dtype="boolean"),
            "zone": pd.Series(rng.choice(ZONES, rows), dtype="str"),
            "since": pd.to_datetime(rng.integers(0, 2**50, rows), unit="us").astype("M8[us]"),
            "full": rng.normal(size=rows),
        }
    )
    for name in ("size", "kind", "staff", "open", "since"):
        frame.loc[rng.random(rows) < missing, name] = None
    return frame


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table as scikit-learn's transformers take it, computed by pandas alone."""
    seconds = (frame["since"] - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
    table = frame.assign(
        since=seconds,
        staff=frame["staff"].astype("float64"),
        open=frame["open"].astype("float64"),
        kind=frame["kind"].astype(object),
        zone=frame["zone"].astype(object),
    )
    each = table["size"] / table["staff"]
    return table.assign(each=each.replace([np.inf, -np.inf], np.nan))


def by_scikit_learn(scale: bool) -> ColumnTransformer:
    filled = SimpleImputer(strategy="median", keep_empty_features=True)
    one_hot = OneHotEncoder(categories=[KINDS, ZONES], handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(filled, StandardScaler()) if scale else filled, NUMBERS),
            ("missing", MissingIndicator(error_on_new=False), NUMBERS),
            ("categories", one_hot, ["kind", "zone"]),
        ]
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("missing", [0.0, 0.02, 0.5])
def test_scaled_features_equal_those_of_scikit_learn(seed: int, missing: float) -> None:
    train, other = shops(seed, missing=missing), shops(seed + 100)
    reference = by_scikit_learn(scale=True).fit(plain(train))
    features = Featurizer(SCHEMA, scale=True).fit(encode(train, SCHEMA))
    for frame in (train, other):
        found = features.transform(encode(frame, SCHEMA))
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, reference.transform(plain(frame)), rtol=0, atol=1e-12)


def test_unscaled_features_equal_those_of_scikit_learn_in_float32() -> None:
    train, other = shops(1), shops(2)
    reference = by_scikit_learn(scale=False).fit(plain(train))
    found = Featurizer(SCHEMA).fit(encode(train, SCHEMA)).transform(encode(other, SCHEMA))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, reference.transform(plain(other)).astype(np.float32))


def featurized(schema: Schema, train: Any, other: Any, scale: bool = True) -> list[list[float]]:
    features = Featurizer(schema, scale=scale).fit(np.array(train, dtype=np.float64))
    found = features.transform(np.array(other, dtype=np.float64))
    return found.tolist()  # type: ignore[no-any-return]


ONE = Schema(problem="regression", fields=(Field(name="a", type="number"),))
RATIO = Schema(
    problem="regression",
    fields=(Field(name="a", type="number"), Field(name="b", type="integer")),
    derived=(Derived(name="c", expression="a / b"),),
)


def test_a_missing_number_becomes_the_training_median_and_a_flag() -> None:
    found = featurized(ONE, [[1], [2], [9], [np.nan]], [[np.nan], [5]], scale=False)
    assert found == [[2, 1], [5, 0]]


def test_what_is_never_missing_in_training_gets_no_flag() -> None:
    assert featurized(ONE, [[1], [2], [9]], [[np.nan]], scale=False) == [[2]]


def test_a_division_by_zero_is_a_missing_number() -> None:
    train = [[1, 1], [4, 2], [9, 0], [0, 0], [-1, 0]]  # the ratios are 1, 2 and three missing
    found = featurized(RATIO, train, [[8, 4], [5, 0]], scale=False)
    assert found == [[8, 4, 2, 0], [5, 0, 1.5, 1]]


def test_infinite_input_counts_as_missing() -> None:
    assert featurized(ONE, [[1], [3], [np.inf]], [[-np.inf], [4]], scale=False) == [[2, 1], [4, 0]]


@pytest.mark.parametrize("scale", [True, False])
def test_a_column_without_any_value_is_zero(scale: bool) -> None:
    found = featurized(ONE, [[np.nan], [np.nan]], [[np.nan], [0]], scale=scale)
    assert found == [[0, 1], [0, 0]]


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, -1 / 3, 0.0])
@pytest.mark.parametrize("rows", [3, 10, 1001])
def test_a_constant_column_stays_small(value: float, rows: int) -> None:
    """Rounding makes the deviation of equal numbers 1e-17; dividing by it would explode."""
    found = featurized(ONE, [[value]] * rows, [[value], [value + 1]])
    np.testing.assert_allclose(found, [[0], [1]], atol=1e-6)


def test_scaled_training_rows_have_mean_0_and_deviation_1() -> None:
    train = encode(shops(3), SCHEMA)
    found = Featurizer(SCHEMA, scale=True).fit_transform(train)[:, : len(NUMBERS)]
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-12)


def test_a_table_of_categories_alone_works() -> None:
    kind = Field(name="k", type="category", values=("a", "b"))
    schema = Schema(problem="regression", fields=(kind,))
    found = featurized(schema, [[0], [1]], [[0], [1], [-1], [np.nan]])
    assert found == [[1, 0], [0, 1], [0, 0], [0, 0]]


def test_the_featurizer_can_be_cloned_as_scikit_learn_does() -> None:
    features = Featurizer(SCHEMA, scale=True).fit(encode(shops(1), SCHEMA))
    copy = clone(features)
    assert copy.get_params() == features.get_params()
    assert not hasattr(copy, "fill_")


def column(kind: str, *cells: Any, dtype: str, values: tuple[str, ...] = ()) -> list[float]:
    field = Field(name="x", type=kind, values=values)  # type: ignore[arg-type]
    found = encode_column(pd.Series(cells, dtype=dtype), field)
    assert found.dtype == np.float64
    return found.tolist()  # type: ignore[no-any-return]


def test_numbers_are_encoded_as_they_are() -> None:
    np.testing.assert_equal(column("number", 0.1, None, dtype="float64"), [0.1, np.nan])


def test_integers_are_encoded_exactly() -> None:
    big = 2**53 - 1
    np.testing.assert_equal(column("integer", big, None, -3, dtype="Int64"), [big, np.nan, -3])


def test_booleans_are_encoded_as_0_and_1() -> None:
    np.testing.assert_equal(column("boolean", True, False, None, dtype="boolean"), [1, 0, np.nan])


def test_a_category_is_encoded_as_its_place_and_an_unseen_one_as_minus_1() -> None:
    cells = ["b", "a", "c", None, "", "A"]
    found = column("category", *cells, dtype="str", values=("a", "b"))
    np.testing.assert_equal(found, [1, 0, -1, np.nan, -1, -1])


def test_a_date_is_encoded_as_seconds_since_1970() -> None:
    moments = [dt.datetime(1970, 1, 1), dt.datetime(2020, 2, 29, 1, 2, 3, 500_000), None]
    moments += [dt.datetime(1969, 12, 31, 23, 59, 59)]
    expected = [m.replace(tzinfo=dt.UTC).timestamp() if m else np.nan for m in moments]
    np.testing.assert_equal(column("datetime", *moments, dtype="datetime64[us]"), expected)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("number", "float64"),
        ("integer", "Int64"),
        ("boolean", "boolean"),
        ("category", "str"),
        ("datetime", "datetime64[us]"),
    ],
)
def test_a_column_without_any_value_is_encoded_as_missing(kind: str, dtype: str) -> None:
    assert np.isnan(column(kind, None, None, dtype=dtype, values=("a",))).all()


def test_the_matrix_has_a_column_for_each_field_in_their_order() -> None:
    frame = shops(1)
    found = encode(frame[reversed(frame.columns)], SCHEMA)
    assert found.shape == (len(frame), len(SCHEMA.fields))
    np.testing.assert_array_equal(found[:, 0], frame["size"])
    np.testing.assert_array_equal(found[:, 6], frame["full"])


def test_a_target_of_classes_is_encoded_as_their_places() -> None:
    schema = Schema(problem="classification", fields=(), labels=("b", "c", "a"))
    frame = pd.DataFrame({"_target": pd.Series(["a", "b", "c"], dtype="str")})
    found = encode_target(frame, schema)
    assert found.tolist() == [2, 0, 1]
    assert found.dtype == np.int64


def test_a_target_of_numbers_is_encoded_as_it_is() -> None:
    schema = Schema(problem="regression", fields=())
    assert encode_target(pd.DataFrame({"_target": [1.5, -2]}), schema).tolist() == [1.5, -2.0]


def test_a_text_stands_in_a_matrix_of_objects_and_is_empty_where_missing() -> None:
    schema = Schema(
        problem="regression",
        fields=(Field(name="size", type="number"), Field(name="note", type="text")),
    )
    frame = pd.DataFrame(
        {"size": [1.5, np.nan], "note": pd.Series(["good", None], dtype="str"), "_target": [0, 1]}
    )
    X = encode(frame, schema)
    assert X[:, 1].tolist() == ["good", ""]
    assert X[0, 0] == 1.5
    assert np.isnan(X[1, 0])
