"""Rows that break the contract are set aside where the contract says so."""

import csv
import json
from pathlib import Path

import pytest

from tests.support.clone import Clone
from tests.support.validation_fixtures import as_csv, read_sample

HEART = "conf/task/heart.yaml"


@pytest.fixture(scope="module")
def clone(pipeline: Clone) -> Clone:
    frame = read_sample("heart")
    frame.loc[frame.index[[2]], "age"] = "x"
    frame.loc[frame.index[[5, 6]], "chol"] = "9999"
    frame.loc[frame.index[[6]], "num"] = ""
    pipeline.write("data/sample/heart.csv", as_csv(frame))
    return pipeline


def quarantine(clone: Clone) -> list[dict[str, str]]:
    with (clone.path / "data/prepared/heart/quarantine.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_bad_rows_stop_the_run_by_default(clone: Clone) -> None:
    done = clone.run("dvc", "repro", "validate@heart", check=False)
    assert done.returncode != 0
    assert "age · type" in done.stdout
    assert quarantine(clone) == []


def test_a_table_that_failed_is_not_accepted(clone: Clone) -> None:
    """The one before this stopped the table of heart."""
    done = clone.run("python", "-m", "commands", "set-reference", "heart", check=False)
    assert done.returncode == 1
    assert "holds no table that passed" in done.stderr


def test_set_aside_they_are_listed_with_row_and_reasons(clone: Clone) -> None:
    clone.replace(HEART, "metric:", "on_bad_rows: quarantine\nmetric:")
    clone.compose()
    done = clone.run("dvc", "repro", "validate@heart")
    rows = quarantine(clone)
    assert [(row["row"], row["reasons"]) for row in rows] == [
        ("3", "age: not of its type"),
        ("6", "chol: out of range"),
        ("7", "chol: out of range; target: missing"),
    ]
    assert rows[0]["age"] == "x"
    assert "3 rows break the contract and were set aside" in done.stdout
    report = json.loads(clone.read("data/validated/heart/validation.json"))
    assert report["verdict"] == "passed"
    assert sum(report["rows"].values()) == 304 - 3
    (finding,) = report["findings"]
    assert (finding["rule"], finding["count"]) == ("quarantined", 3)


def test_too_many_stop_the_run_all_the_same(clone: Clone) -> None:
    clone.replace(
        HEART, "on_bad_rows: quarantine", "on_bad_rows: quarantine\nmax_bad_row_share: 0.005"
    )
    clone.compose()
    done = clone.run("dvc", "repro", "validate@heart", check=False)
    assert done.returncode != 0
    assert "3 of 304 rows break the contract, more than the 0.5%" in done.stderr
    assert "chol: out of range (2)" in done.stderr


def test_an_accepted_table_is_what_later_ones_are_held_against(clone: Clone) -> None:
    clone.replace(HEART, "max_bad_row_share: 0.005", "max_bad_row_share: 0.05")
    clone.compose()
    clone.repro("validate@heart")
    done = clone.run("python", "-m", "commands", "set-reference", "heart")
    assert "301 rows of source sample" in done.stdout
    older = read_sample("heart")
    older["age"] = (older["age"].astype(int) + 20).clip(upper=99)
    clone.write(
        "data/sample/heart.csv",
        as_csv(older),
    )
    done = clone.run("dvc", "repro", "validate@heart")
    assert "age · shift" in done.stdout
    assert "make set-reference TASK=heart" in done.stdout
    assert Path(clone.path / "data/accepted/heart.json").exists()
