"""What makes every later number wrong is an error from a share that the contract sets."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.contract.checks import ErrorFrom
from stages.contract.columns import Column
from stages.contract.split import Split
from stages.contract.target import Target
from stages.validating.checks import run_checks
from stages.validating.findings import Finding
from stages.validating.prepared import Prepared
from tests.support.validation_fixtures import read_shipped

RNG = np.random.default_rng(3)
ROWS = 150
NUMBER = Column(type="number", range=[-1e6, 1e6])


def find(rule: str, columns: dict[str, Any], target: Any, **contract: Any) -> Finding | None:
    """Return what a rule finds in a table of numbers."""
    classes = target.dtype == object
    frame = pd.DataFrame({"_row": np.arange(1, len(target) + 1), **columns, "_target": target})
    parts = {"train": frame[:90], "validation": frame[90:120], "test": frame[120:]}
    labels = sorted(set(target))
    values = Target(expression="y", unit="EUR")
    positive = "1" if len(labels) == 2 else None
    kind = Target(expression="y", classes=labels, positive=positive) if classes else values
    split = Split(seed=1, validation=0.2, test=0.2)
    own = {"columns": dict.fromkeys(columns, NUMBER), "split": split}
    found = run_checks(Prepared.from_splits(parts, task="t", target=kind, **{**own, **contract}))
    return next((finding for finding in found if finding.rule == rule), None)


def test_the_contract_has_the_shares_that_the_code_has() -> None:
    assert read_shipped("heart")["error_from"] == ErrorFrom().model_dump()


def test_a_column_that_equals_the_class_in_98_of_100_rows_is_told() -> None:
    y = RNG.integers(0, 2, ROWS)
    code = np.where(y == 1, 402.0, 101.0)
    code[:2] = 503 - code[:2]
    told = {"x": RNG.normal(size=ROWS), "code": code}, y.astype(str).astype(object)
    finding = find("leak", *told)
    assert finding is not None
    assert (finding.severity, finding.column) == ("warn", "code")
    assert finding.found.startswith("this column alone tells 97.")
    strict = find("leak", *told, error_from=ErrorFrom(leak=0.97))
    assert strict is not None
    assert strict.severity == "error"


@pytest.mark.parametrize(("digits", "severity"), [(2, "error"), (0, "warn")])
def test_a_sum_of_parts_is_an_error_until_rounding_hides_it(digits: int, severity: str) -> None:
    parts = RNG.lognormal(2, 1, (3, ROWS))
    rounded = dict(zip("abc", parts.round(digits), strict=True))
    finding = find("follows", rounded, parts.sum(axis=0).round(2))
    assert finding is not None
    assert (finding.severity, finding.column) == (severity, "_target")
    assert finding.found.startswith("the target is a + b + c, to within ")


def test_a_compared_pair_is_an_error_by_default_and_a_warning_where_asked() -> None:
    home, away = RNG.integers(0, 6, (2, ROWS)).astype(float)
    result = np.array(["A", "D", "H"], dtype=object)[np.sign(home - away).astype(int) + 1]
    columns = {"home": home, "away": away, "noise": RNG.normal(size=ROWS)}
    severities = [
        find("follows", columns, result, checks=checks) for checks in ({}, {"follows": "warn"})
    ]
    assert [finding and finding.severity for finding in severities] == ["error", "warn"]
    assert find("follows", columns, result, checks={"follows": "off"}) is None


@pytest.mark.parametrize(("share", "severity"), [(0.5, "error"), (0.02, "warn")])
def test_a_target_in_two_units_stops_the_run_where_many_rows_are(
    share: float, severity: str
) -> None:
    prices = RNG.lognormal(11, 0.3, 600).round()
    prices[: int(600 * share)] /= 1000
    finding = find("units", {"a": RNG.normal(size=600)}, prices)
    assert finding is None or finding.severity == severity
    assert finding is not None or share < 0.05


def test_copies_with_other_labels_stop_the_run_and_chance_does_not() -> None:
    x = np.tile(RNG.normal(size=(2, ROWS // 2)), 2)
    y = np.repeat(["0", "1"], ROWS // 2).astype(object)
    finding = find("conflicts", {"a": x[0], "b": x[1]}, y)
    assert finding is not None
    assert (finding.severity, finding.share) == ("error", 1.0)
    few = find("conflicts", {"a": x[0] > 0, "b": x[1].round()}, y)
    assert few is not None
    assert few.severity == "warn"
