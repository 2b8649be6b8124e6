"""The command judges as the stage does, and its exit code is the verdict."""

import json
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
from typer.testing import CliRunner

from commands.program import app
from tests.support.clone import ROOT

SCHEMA = json.loads((ROOT / "docs/monitoring.schema.json").read_text(encoding="utf-8"))
runner = CliRunner()


@pytest.fixture
def inside(baseline: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished pipeline, which is looked at only."""
    monkeypatch.chdir(baseline / "run")
    return baseline / "run"


def test_the_shipped_windows_alarm_by_what_was_done_to_them(inside: Path) -> None:
    expected = {
        "heart": {"chol", "trestbps"},
        "housing": {"median_income", "total_bedrooms"},
        "sentiment": {"text"},
    }
    for task, columns in expected.items():
        path = inside / f"data/monitored/{task}/monitoring.json"
        report = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.validate(report, SCHEMA)
        assert report["verdict"] == "alarm"
        found = {finding["column"] for finding in report["findings"]}
        assert columns <= found
        assert (
            not found
            - columns
            - {"answer: value", "answer: label", "answer: probability of positive", None}
        )


def test_the_command_says_what_the_stage_wrote(inside: Path) -> None:
    done = runner.invoke(app, ["monitor", "heart", "--json"])
    assert done.exit_code == 1, done.output
    assert json.loads(done.stdout) == json.loads(
        (inside / "data/monitored/heart/monitoring.json").read_text(encoding="utf-8")
    )


def test_rows_like_those_trained_on_are_fine(inside: Path, tmp_path: Path) -> None:
    test = pd.read_parquet(inside / "data/prepared/housing/test.parquet")
    test.to_parquet(tmp_path / "later.parquet")
    done = runner.invoke(
        app, ["monitor", "housing", str(tmp_path / "later.parquet"), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    page = (tmp_path / "out/monitoring.html").read_text(encoding="utf-8")
    assert "California housing: ok" in page
    assert "http" not in page.replace("http-equiv", "")


def test_few_rows_or_none_are_not_judged(inside: Path, tmp_path: Path) -> None:
    few = pd.read_parquet(inside / "data/sample/later/heart.parquet").head(3)
    few.to_parquet(tmp_path / "few.parquet")
    assert runner.invoke(app, ["monitor", "heart", str(tmp_path / "few.parquet")]).exit_code == 2
    absent = runner.invoke(app, ["monitor", "heart", str(tmp_path / "absent.parquet")])
    assert absent.exit_code == 2
    assert "absent.parquet is not here" in absent.output
    assert inside.exists()
