"""Every plot of ours drawn as DVC draws it: its words are there, and of two revisions both."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import vl_convert

from stages.composing.plots import PLOTS, Plot
from tests.support.clone import ROOT

FOLDER = ROOT / ".dvc/plots"
OWN = [
    plot
    for plots in PLOTS.values()
    for plot in plots
    if (FOLDER / f"{plot.template}.json").exists()
]


def make_points(plot: Plot, revision: str, note: str) -> list[dict[str, Any]]:
    """Return three points with every field that a template may ask for."""
    fields = {"low": 0, "high": 9, "rows": 3, "line": "a", "rev": revision, "note": note}
    return [{**fields, plot.x: number, plot.y: number} for number in range(3)]


def draw(plot: Plot, data: list[dict[str, Any]]) -> str:
    """Return the SVG of a plot, with its template's anchors filled as DVC fills them."""
    text = (FOLDER / f"{plot.template}.json").read_text(encoding="utf-8")
    text = text.replace('"<DVC_METRIC_DATA>"', json.dumps(data))
    words = {"TITLE": "a title", "X_LABEL": "x words", "Y_LABEL": "y words"}
    for anchor, word in {**words, "X": plot.x, "Y": plot.y}.items():
        text = text.replace(f"<DVC_METRIC_{anchor}>", word)
    assert "<DVC" not in text
    svg: str = vl_convert.vegalite_to_svg(json.loads(text))
    return svg


def list_words(svg: str) -> set[str]:
    return set(re.findall(r"<text[^>]*>([^<]+)</text>", svg))


@pytest.mark.parametrize("plot", OWN, ids=lambda plot: Path(plot.file).stem)
def test_a_plot_shows_title_labels_and_what_it_is_of(plot: Plot) -> None:
    words = list_words(draw(plot, make_points(plot, "workspace", "n = 3")))
    assert {"a title", "x words", "n = 3"} <= words
    assert (
        "y words" in words or plot.template == "intervals"
    )  # where the names speak for themselves


@pytest.mark.parametrize("plot", OWN, ids=lambda plot: Path(plot.file).stem)
def test_two_revisions_are_told_apart_and_so_are_their_notes(plot: Plot) -> None:
    found = draw(
        plot, [*make_points(plot, "main", "n = 3"), *make_points(plot, "workspace", "n = 4")]
    )
    assert {"main", "workspace"} <= list_words(found)
    assert "n = 3 / n = 4" in found or {"n = 3", "n = 4"} <= list_words(found)


def test_every_other_template_is_one_of_dvcs() -> None:
    others = {plot.template for plots in PLOTS.values() for plot in plots}
    others -= {path.stem for path in FOLDER.glob("*.json")}
    assert others == {"linear", "bar_horizontal_sorted"}


def test_no_template_is_left_that_nothing_uses() -> None:
    assert {plot.template for plot in OWN} == {path.stem for path in FOLDER.glob("*.json")}


def test_the_diagonal_goes_from_the_lowest_to_the_highest_value() -> None:
    (plot,) = (found for found in OWN if found.template == "identity")
    data = [
        {"predicted": 10, "actual": 40, "rev": "workspace", "note": "n"},
        {"predicted": 60, "actual": 90, "rev": "workspace", "note": "n"},
    ]
    (line,) = re.findall(r'<line[^>]*stroke-dasharray="4,4"[^>]*>', draw(plot, data))
    across, down = (abs(float(re.search(rf'{axis}2="([-\d.]+)"', line)[1])) for axis in "xy")  # type: ignore[index]
    assert across > 200
    assert down > 200
