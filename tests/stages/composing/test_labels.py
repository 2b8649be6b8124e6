"""What plots say of a task, and how ``dvc.yaml`` holds it."""

from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.composing.pipeline import render_pipeline
from stages.shared.errors import PipelineError
from tests.support.clone import ROOT


def compose_shipped() -> Any:
    with (ROOT / "params.yaml").open(encoding="utf-8") as file:
        return YAML(typ="safe").load(file)


def read_plots(params: Any) -> dict[str, Any]:
    """Return each plot of ``dvc.yaml`` by its name."""
    entries = YAML(typ="safe").load(render_pipeline(params))["plots"]
    return {name: keys for entry in entries for name, keys in entry.items()}


@pytest.fixture(scope="module")
def plots() -> dict[str, Any]:
    return read_plots(compose_shipped())


@pytest.mark.parametrize(
    ("plot", "axis", "label"),
    [
        ("data/evaluated/heart/plots/slices.json", "x_label", "roc_auc, higher is better"),
        (
            "data/evaluated/housing/plots/slices.json",
            "x_label",
            "rmse in US dollars of 1990, lower is better",
        ),
        (
            "data/evaluated/housing/plots/predicted.json",
            "y_label",
            "actual median_house_value in US dollars of 1990",
        ),
        ("heart - linear - loss", "x_label", "share of the train rows fitted on, %"),
        ("heart - linear - loss", "y_label", "log loss"),
        ("heart - forest - loss", "x_label", "share of the train rows fitted on, %"),
        ("housing - lightgbm - loss", "x_label", "number of trees"),
        ("housing - lightgbm - loss", "y_label", "root mean squared error in US dollars of 1990"),
    ],
)
def test_an_axis_names_its_metric_direction_and_unit(
    plots: dict[str, Any], plot: str, axis: str, label: str
) -> None:
    assert plots[plot][axis] == label


def test_every_axis_with_numbers_and_every_plot_has_words(plots: dict[str, Any]) -> None:
    for name, keys in plots.items():
        assert ": " in keys["title"], name
        assert "x_label" in keys or keys["x"] == "trial", name
        assert "y_label" in keys or keys["y"] in ("name", "argument"), name


def test_a_unit_that_yaml_would_read_otherwise_is_kept() -> None:
    params = compose_shipped()
    params["task"]["housing"]["target"]["unit"] = 'USD: "1990" # {x}'
    found = read_plots(params)["data/evaluated/housing/plots/slices.json"]
    assert found["x_label"] == 'rmse in USD: "1990" # {x}, lower is better'


def test_a_metric_of_another_problem_is_named_before_anything_runs() -> None:
    params = compose_shipped()
    params["task"]["heart"]["metric"] = "rmse"
    with pytest.raises(PipelineError, match=r"conf/task/heart\.yaml: metric is 'rmse'"):
        render_pipeline(params)
