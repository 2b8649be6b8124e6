"""Targets that follow from columns are found though they were rounded, and honest ones are not."""

import numpy as np
import pytest
from sklearn import datasets

from stages.shared.formulas import find_formula

RNG = np.random.default_rng(8)
ROWS = 120


def find(columns: dict[str, np.ndarray], target: np.ndarray) -> object:
    is_classification = target.dtype == object
    numbers = np.column_stack(list(columns.values())).astype(float)
    return find_formula(list(columns), numbers, target, is_classification=is_classification)


def test_a_sum_of_rounded_parts() -> None:
    parts = {name: RNG.lognormal(0, 1, ROWS) for name in ("na", "eu", "jp")}
    total = sum(parts.values()).round(2)
    found = find({name: part.round(2) for name, part in parts.items()}, total)
    assert (found.text, found.columns) == ("na + eu + jp", ("na", "eu", "jp"))
    assert 0.9999 < found.share < 1
    assert found.exactness in ("to within 0.01 in 120 rows", "to within 0.02 in 120 rows")


def test_a_product_with_a_rounded_ratio_beside_noise() -> None:
    rooms, value = RNG.integers(1_000, 30_000, ROWS), RNG.uniform(2e5, 4e5, ROWS).round()
    columns = {"rooms": rooms, "each": (value / rooms).round(4), "noise": RNG.normal(size=ROWS)}
    assert find(columns, value).text == "rooms * each"


def test_a_share_and_a_power() -> None:
    height, weight = RNG.uniform(1.5, 2, ROWS), RNG.uniform(50, 120, ROWS)
    found = find({"weight": weight, "height": height}, (weight / height**2).round(1))
    assert found.text == "weight / height^2"
    assert found.exactness.startswith("to within 0.05 ")


def test_weights_and_a_constant_are_told() -> None:
    celsius, wind = RNG.normal(10, 8, ROWS), RNG.uniform(0, 9, ROWS)
    assert find({"c": celsius, "w": wind}, 1.8 * celsius + 32).text == "1.8 c + 32"


def test_a_class_by_comparing_two_columns() -> None:
    home, away, noise = RNG.integers(0, 6, ROWS), RNG.integers(0, 6, ROWS), RNG.normal(size=ROWS)
    result = np.array(["A", "D", "H"], dtype=object)[np.sign(home - away) + 1]
    found = find({"home": home, "noise": noise, "away": away}, result)
    assert found.text == "whether home is below, equal to or above away"
    assert (found.share, found.exactness) == (1.0, "in each of 120 rows")
    result[:2] = np.where(result[:2] == "A", "H", "A")
    assert find({"home": home, "away": away}, result).exactness == "in all but 2 of 120 rows"


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_published_tables_follow_from_no_formula(name: str) -> None:
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    is_class = name != "diabetes"
    target = bunch.target.to_numpy(object if is_class else float)
    assert find(dict(bunch.data.items()), target) is None


def test_a_near_relation_is_none() -> None:
    """R² of 0.99 is what good columns reach."""
    a, b = RNG.normal(size=(2, 1_000))
    assert find({"a": a, "b": b}, a + b + RNG.normal(0, 0.15, 1_000)) is None
