"""The simulated sample data are what their generator writes, and look like what they stand for.

Expected values come from the published descriptions (UCI DOI 10.24432/C52P4X; Pace & Barry 1997),
from an atlas, or from first principles; none is copied from the generator's output.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "sample"
PUBLISHED = ROOT.parent / "shared" / "data"

HEART_CODES = {
    "sex": {0, 1},
    "cp": {1, 2, 3, 4},
    "fbs": {0, 1},
    "restecg": {0, 1, 2},
    "exang": {0, 1},
    "slope": {1, 2, 3},
    "ca": {0, 1, 2, 3},
    "thal": {3, 6, 7},
    "num": {0, 1, 2, 3, 4},
}
# The extremes that the description of the published table gives.
HEART_RANGES = {
    "age": (29, 77),
    "trestbps": (94, 200),
    "chol": (126, 564),
    "thalach": (71, 202),
    "oldpeak": (0.0, 6.2),
}
HEART_SIGNS = ["age", "sex", "cp", "trestbps", "chol", "fbs", "restecg"]
HEART_SIGNS += ["thalach", "exang", "oldpeak", "slope", "ca", "thal"]
HEART_COLUMNS = [*HEART_SIGNS, "num"]
COUNTS = ["total_rooms", "total_bedrooms", "population", "households"]
HOUSING_COLUMNS = ["longitude", "latitude", "housing_median_age", *COUNTS]
HOUSING_COLUMNS += ["median_income", "median_house_value", "ocean_proximity"]

# From an atlas, south to north: for each half degree of latitude its westernmost land.
WESTERNMOST_LAND = {
    32.5: -117.28,  # La Jolla
    33.0: -117.73,  # Dana Point
    33.5: -118.82,  # Point Dume
    34.0: -120.51,  # Point Conception
    34.5: -120.67,  # Point Sal
    35.0: -121.03,  # south of Cambria
    35.5: -121.49,  # Big Sur coast
    36.0: -121.96,  # Point Sur
    36.5: -122.16,  # west of Santa Cruz
    37.0: -122.53,  # Pillar Point
    37.5: -123.03,  # Point Reyes
    38.0: -123.26,  # Fort Ross
    38.5: -123.75,  # Point Arena
    39.0: -123.84,  # Mendocino
    39.5: -124.08,  # Shelter Cove
    40.0: -124.42,  # Cape Mendocino
    40.5: -124.42,
    41.0: -124.17,  # Trinidad Head
    41.5: -124.27,  # Point St. George
}


@pytest.fixture(scope="module")
def heart() -> pd.DataFrame:
    """Return the simulated cardiology table."""
    return pd.read_csv(SAMPLE / "heart.csv")


@pytest.fixture(scope="module")
def housing() -> pd.DataFrame:
    """Return the simulated housing table."""
    return pd.read_csv(SAMPLE / "housing.csv")


@pytest.fixture
def workshop(tmp_path: Path) -> Path:
    """Return a copy of the sample folder, to be spoiled."""
    return Path(shutil.copytree(SAMPLE, tmp_path / "sample"))


def simulate(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the generator as a user does."""
    command = [sys.executable, str(folder / "simulate.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# The generator


def test_files_are_what_the_generator_writes() -> None:
    done = simulate(SAMPLE, "--check")
    assert done.returncode == 0, done.stderr


def test_generator_rebuilds_lost_files_byte_for_byte(workshop: Path) -> None:
    for name in ("heart.csv", "housing.csv"):
        (workshop / name).unlink()
    simulate(workshop)
    for name in ("heart.csv", "housing.csv"):
        assert (workshop / name).read_bytes() == (SAMPLE / name).read_bytes()


def test_check_names_the_line_edited_by_hand(workshop: Path) -> None:
    lines = (workshop / "heart.csv").read_text(encoding="ascii").split("\n")
    lines[9] = "99" + lines[9][2:]
    (workshop / "heart.csv").write_text("\n".join(lines), encoding="ascii", newline="\n")
    done = simulate(workshop, "--check")
    assert done.returncode == 1
    assert "heart.csv differs" in done.stderr
    assert f"line 10 is b'{lines[9]}'" in done.stderr


def test_check_notices_a_missing_file(workshop: Path) -> None:
    (workshop / "housing.csv").unlink()
    done = simulate(workshop, "--check")
    assert done.returncode == 1
    assert "housing.csv is missing" in done.stderr


@pytest.mark.parametrize("name", ["heart.csv", "housing.csv"])
def test_files_have_unix_line_ends_and_are_small(name: str) -> None:
    content = (SAMPLE / name).read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    assert len(content) < 250_000


# Heart


def test_heart_has_the_published_columns(heart: pd.DataFrame) -> None:
    assert list(heart.columns) == HEART_COLUMNS


def test_nearly_half_of_the_patients_are_ill(heart: pd.DataFrame) -> None:
    assert 0.42 < (heart["num"] > 0).mean() < 0.50  # published: 139 of 303, 0.459


def test_more_severe_illness_is_rarer(heart: pd.DataFrame) -> None:
    counts = heart["num"].value_counts()
    assert list(counts.index) == [0, 1, 2, 3, 4]


def test_heart_misses_a_few_vessels_and_scans_and_nothing_else(heart: pd.DataFrame) -> None:
    missing = heart.isna().sum()
    assert set(missing.index[missing > 0]) == {"ca", "thal"}
    assert missing["thal"] <= missing["ca"] <= 0.03 * len(heart)


@pytest.mark.parametrize("column", HEART_CODES)
def test_heart_uses_every_published_code_and_no_other(heart: pd.DataFrame, column: str) -> None:
    assert set(heart[column].dropna()) == HEART_CODES[column]


@pytest.mark.parametrize("column", HEART_RANGES)
def test_heart_stays_in_the_published_range(heart: pd.DataFrame, column: str) -> None:
    lowest, highest = HEART_RANGES[column]
    assert heart[column].between(lowest, highest).all()


def test_heart_writes_a_point_in_oldpeak_only() -> None:
    texts = pd.read_csv(SAMPLE / "heart.csv", dtype=str, keep_default_na=False)
    assert texts.pop("oldpeak").str.fullmatch(r"\d\.\d").all()
    assert texts.apply(lambda column: column.str.fullmatch(r"\d*")).all(axis=None)


@pytest.mark.parametrize(
    ("first", "second", "sign"),
    [
        ("age", "thalach", -1),  # the heart's highest rate falls by about a beat a year
        ("age", "trestbps", 1),
        ("age", "ca", 1),
        ("sex", "chol", -1),
        ("sex", "num", 1),  # men fall ill earlier
        ("oldpeak", "slope", 1),  # both read off the ST segment
        ("exang", "thalach", -1),
        ("exang", "cp", 1),
        ("thalach", "num", -1),
        ("oldpeak", "num", 1),
        ("ca", "num", 1),
        ("thal", "num", 1),
    ],
)
def test_heart_columns_move_together_as_physiology_has_it(
    heart: pd.DataFrame, first: str, second: str, sign: int
) -> None:
    assert sign * heart[first].corr(heart[second]) > 0.1


def test_silent_patients_are_the_illest(heart: pd.DataFrame) -> None:
    ill = (heart["num"] > 0).groupby(heart["cp"]).mean()
    assert ill.idxmax() == 4


def test_heart_is_as_hard_for_a_linear_model_as_the_published_table(heart: pd.DataFrame) -> None:
    features, ill = heart.drop(columns="num"), heart["num"] > 0
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = with_inputs(LogisticRegression(max_iter=1000), ["cp", "restecg", "slope", "thal"])
    auc = cross_val_score(model, features, ill, scoring="roc_auc", cv=folds)
    assert 0.85 < auc.mean() < 0.95


@pytest.mark.parametrize("column", HEART_SIGNS)
def test_no_single_column_gives_the_illness_away(heart: pd.DataFrame, column: str) -> None:
    known = heart.dropna(subset=column)
    auc = roc_auc_score(known["num"] > 0, known[column])
    assert max(auc, 1 - auc) < 0.81


# Housing


def test_housing_has_the_published_columns(housing: pd.DataFrame) -> None:
    assert list(housing.columns) == HOUSING_COLUMNS


def test_only_bedrooms_are_missing_in_about_one_block_of_a_hundred(housing: pd.DataFrame) -> None:
    missing = housing.isna().mean()
    assert set(missing.index[missing > 0]) == {"total_bedrooms"}
    assert 0.005 < missing["total_bedrooms"] < 0.02


@pytest.mark.parametrize(
    ("column", "lowest", "highest"),
    [
        ("housing_median_age", 1, 52),
        ("median_income", 0.4999, 15.0001),
        ("median_house_value", 14999, 500001),
    ],
)
def test_housing_stays_within_the_published_cuts(
    housing: pd.DataFrame, column: str, lowest: float, highest: float
) -> None:
    assert housing[column].between(lowest, highest).all()


def test_about_as_many_values_are_cut_as_published(housing: pd.DataFrame) -> None:
    assert 0.03 < (housing["median_house_value"] == 500001).mean() < 0.065


def test_about_as_many_ages_are_cut_as_published(housing: pd.DataFrame) -> None:
    assert 0.04 < (housing["housing_median_age"] == 52).mean() < 0.08


def test_the_island_is_there_but_rare(housing: pd.DataFrame) -> None:
    assert 1 <= (housing["ocean_proximity"] == "ISLAND").sum() <= 3


def test_each_mainland_category_is_common(housing: pd.DataFrame) -> None:
    shares = housing["ocean_proximity"].value_counts(normalize=True).drop("ISLAND")
    assert set(shares.index) == {"<1H OCEAN", "INLAND", "NEAR OCEAN", "NEAR BAY"}
    assert shares.min() > 0.05


@pytest.mark.parametrize("column", COUNTS)
def test_counts_are_whole_and_positive(housing: pd.DataFrame, column: str) -> None:
    counts = housing[column].dropna()
    assert (counts >= 1).all()
    assert (counts % 1 == 0).all()


def test_no_block_has_more_bedrooms_than_rooms(housing: pd.DataFrame) -> None:
    known = housing.dropna()
    assert (known["total_bedrooms"] < known["total_rooms"]).all()


@pytest.mark.parametrize(
    ("column", "average", "tolerance"), [("total_rooms", 5.4, 0.4), ("population", 3.0, 0.3)]
)
def test_households_are_of_the_published_size(
    housing: pd.DataFrame, column: str, average: float, tolerance: float
) -> None:
    assert (housing[column] / housing["households"]).mean() == pytest.approx(average, abs=tolerance)


def test_counts_are_skewed(housing: pd.DataFrame) -> None:
    assert (housing[COUNTS].skew() > 1.5).all()


def test_positions_have_two_decimals(housing: pd.DataFrame) -> None:
    positions = housing[["longitude", "latitude"]]
    assert positions.equals(positions.round(2))


def test_neighbouring_blocks_share_positions(housing: pd.DataFrame) -> None:
    shared = housing[["longitude", "latitude"]].duplicated(keep=False)
    assert 0.05 < shared.mean() < 0.3


def test_every_block_lies_in_the_box_around_california(housing: pd.DataFrame) -> None:
    assert housing["latitude"].between(32.53, 42.01).all()
    assert housing["longitude"].between(-124.42, -114.13).all()


def test_no_block_lies_in_the_pacific(housing: pd.DataFrame) -> None:
    mainland = housing[housing["ocean_proximity"] != "ISLAND"]
    westernmost = (mainland["latitude"] // 0.5 * 0.5).map(WESTERNMOST_LAND)
    assert (mainland["longitude"] >= westernmost).all()


def test_no_block_lies_in_nevada(housing: pd.DataFrame) -> None:
    # The border runs from 42 to 39 degrees north at 120 west, then straight to the Colorado.
    east = np.interp(housing["latitude"], [35.0, 39.0, 42.0], [-114.63, -120.0, -120.0])
    assert (housing["longitude"] <= east)[housing["latitude"] >= 35.0].all()


def test_no_block_lies_in_the_middle_of_san_francisco_bay(housing: pd.DataFrame) -> None:
    # Open water, well away from every shore, between San Francisco's airport and Hayward.
    wet = housing["longitude"].between(-122.33, -122.24) & housing["latitude"].between(37.62, 37.69)
    assert not wet.any()


def test_the_island_is_santa_catalina(housing: pd.DataFrame) -> None:
    island = housing[housing["ocean_proximity"] == "ISLAND"]
    assert island["longitude"].between(-118.61, -118.30).all()
    assert island["latitude"].between(33.29, 33.49).all()


def test_richer_blocks_have_dearer_houses(housing: pd.DataFrame) -> None:
    assert housing["median_income"].corr(housing["median_house_value"]) > 0.5


@pytest.mark.parametrize(
    ("first", "second", "sign"),
    [
        ("housing_median_age", "total_rooms", -1),  # new blocks are built by the estate
        ("total_rooms", "households", 1),
        ("population", "households", 1),
        ("longitude", "latitude", -1),  # the state leans to the north-west
    ],
)
def test_housing_columns_move_together_as_published(
    housing: pd.DataFrame, first: str, second: str, sign: int
) -> None:
    assert sign * housing[first].corr(housing[second]) > 0.2


def test_houses_inland_are_the_cheapest(housing: pd.DataFrame) -> None:
    medians = housing.groupby("ocean_proximity")["median_house_value"].median()
    assert medians.idxmin() == "INLAND"


def test_trees_learn_from_the_map_what_a_linear_model_cannot(housing: pd.DataFrame) -> None:
    features = housing.drop(columns="median_house_value")
    value = housing["median_house_value"]
    folds = KFold(5, shuffle=True, random_state=0)
    linear = with_inputs(LinearRegression(), ["ocean_proximity"])
    trees = with_inputs(HistGradientBoostingRegressor(random_state=0), ["ocean_proximity"])
    with threadpool_limits(1):  # small data: a second thread costs more than it brings
        linear_r2 = cross_val_score(linear, features, value, scoring="r2", cv=folds).mean()
        trees_r2 = cross_val_score(trees, features, value, scoring="r2", cv=folds).mean()
    assert 0.60 < linear_r2 < 0.70
    assert 0.75 < trees_r2 < 0.85
    assert trees_r2 > linear_r2 + 0.08


# Both


@pytest.mark.parametrize(
    ("name", "published", "layout"),
    [
        ("heart.csv", "heart/processed.cleveland.data", {"names": HEART_COLUMNS, "na_values": "?"}),
        ("housing.csv", "housing/housing.csv", {}),
    ],
)
def test_no_row_is_copied(name: str, published: str, layout: dict[str, Any]) -> None:
    source = PUBLISHED / published
    if not source.exists():
        pytest.skip(f"the published table is not at ../{source.relative_to(ROOT.parent)}")
    ours, theirs = pd.read_csv(SAMPLE / name), pd.read_csv(source, **layout)
    assert list(ours.columns) == list(theirs.columns)
    assert ours.merge(theirs).empty


def with_inputs(model: object, codes: list[str]) -> Pipeline:
    """Return the model behind imputed numbers and one column for each code."""
    one_hot = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    inputs = make_column_transformer((one_hot, codes), remainder=numbers)
    return make_pipeline(inputs, model)
