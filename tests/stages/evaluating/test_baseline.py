"""A champion that does not beat its baseline is called that wherever it shows."""

import json
from pathlib import Path

import numpy as np
import pytest

from stages import evaluate, export
from stages.evaluating.baseline import compute_gain
from stages.evaluating.bootstrap import Bootstrap
from stages.evaluating.content import Evaluation, parse_evaluation
from stages.evaluating.metrics import Rows, find_metric
from stages.runner import declare
from stages.shared.errors import PipelineError
from stages.shared.schema import TARGET
from stages.shared.storage import read_frame, write_frame
from tests.support.evaluate_fixtures import build_fixture

RMSE = find_metric("rmse", "regression", "here")


def test_pairs_show_a_gain_that_separate_intervals_hide() -> None:
    """A few large values blow up both errors alike; what the model explains shows all the same."""
    rng = np.random.default_rng(2)
    truth = rng.standard_t(2.5, 300) * 10
    model = Rows(truth, 0.1 * truth + rng.normal(0, 0.2, 300))
    baseline, bootstrap = Rows(truth, np.full(300, truth.mean())), Bootstrap(400, 0.95, 1)
    gain = compute_gain(model, baseline, RMSE, bootstrap)
    assert gain.mean == pytest.approx(RMSE.of(baseline) - RMSE.of(model))
    assert 0 < gain.low < gain.mean < gain.high
    assert bootstrap.estimate([RMSE], model)["rmse"].high > RMSE.of(baseline)


def test_noise_gains_nothing() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=200)
    model = Rows(truth, truth.mean() + rng.normal(0, 0.05, 200))
    gain = compute_gain(
        model, Rows(truth, np.full(200, truth.mean())), RMSE, Bootstrap(400, 0.95, 1)
    )
    assert gain.low < 0


def evaluate_noise(root: Path) -> Evaluation:
    """Evaluate a task whose test rows have another row's target."""
    build_fixture(root)
    path = root / "data/prepared/demo/test.parquet"
    test = read_frame(path)
    test[TARGET] = np.random.default_rng(0).permutation(test[TARGET])
    write_frame(path, test)
    declare.read_params.cache_clear()
    evaluate.main("demo", "linear", "forest")
    content = json.loads((root / "data/evaluated/demo/evaluation.json").read_text())
    return parse_evaluation(content, "here")


def test_a_champion_without_gain_is_said_on_the_terminal_and_in_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    found = evaluate_noise(tmp_path)
    assert (
        "is no better than its baseline, as far as 120 test rows can tell: roc_auc" in found.doubt
    )
    assert f"WARNING: demo: {found.doubt}" in capsys.readouterr().out
    results = (tmp_path / "data/evaluated/demo/results.md").read_text(encoding="utf-8")
    assert results.splitlines()[2] == f"**{found.doubt}**"
    export.check_gain(found, "demo", "warn")
    assert "WARNING: demo is exported all the same" in capsys.readouterr().out
    with pytest.raises(PipelineError, match=r"export\.no_gain in conf/config\.yaml is 'error'"):
        export.check_gain(found, "demo", "error")


def test_a_champion_that_gains_is_not_doubted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build_fixture(tmp_path)
    monkeypatch.chdir(tmp_path)
    declare.read_params.cache_clear()
    evaluate.main("demo", "linear", "forest")
    assert "WARNING" not in capsys.readouterr().out
    assert "no better" not in Path("data/evaluated/demo/results.md").read_text(encoding="utf-8")
