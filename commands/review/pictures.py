"""Draws what changed in a task as one picture, offline, from Vega-Lite specifications."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from commands.review.compare import Compared
from commands.shared.paired import Difference

Spec = dict[str, Any]
GREY, BLUE, ORANGE, LIGHT = "#8c959f", "#0969da", "#bc4c00", "#d0d7de"  # told apart by all eyes
VERDICTS = {"better": BLUE, "within noise": GREY, "worse": ORANGE}
FLIPS = {"as before": LIGHT, "mended": BLUE, "broken": ORANGE, "other": "#6639ba"}
MOST_SLICES = 10
MOST_DOTS = 2_000
MOST_CANDIDATES = 10
WIDTH, HEIGHT = 250, 220  # pixels of a panel, before SCALE
SCALE = 1.4
CONFIG = {
    "font": "DejaVu Sans, Liberation Sans, sans-serif",
    "view": {"stroke": None},
    "axis": {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal",
             "gridColor": "#eaeef2", "domainColor": LIGHT, "tickColor": LIGHT},
    "title": {"fontSize": 13, "anchor": "start", "fontWeight": 600, "offset": 12},
    "legend": {"orient": "bottom", "title": None, "labelFontSize": 11, "symbolSize": 60},
}  # fmt: skip


def draw_picture(task: Compared) -> bytes:
    """Return a PNG: the candidates' scores, both champions' answers, and the slices."""
    import vl_convert

    panels = [
        panel
        for panel in (_draw_candidates(task), _draw_answers(task), _draw_slices(task))
        if panel
    ]
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "padding": 12,
        "config": CONFIG,
        "spacing": 36,
        "hconcat": panels,
        "resolve": {"scale": {"color": "independent"}},
    }
    return bytes(vl_convert.vegalite_to_png(spec, scale=SCALE))


def _draw_candidates(task: Compared) -> Spec:
    sides = [(side.snapshot.name, side) for side in (task.base, task.here) if side]
    points = [
        {"model": candidate.model, "side": name, "mean": candidate.mean,
         "low": candidate.mean - (candidate.standard_error or 0),
         "high": candidate.mean + (candidate.standard_error or 0)}
        for name, side in sides
        for candidate in side.evaluation.candidates[:MOST_CANDIDATES]
    ]  # fmt: skip
    names = [name for name, _ in sides]
    return {
        "title": "Candidates, cross-validated",
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": points},
        "encoding": {
            "y": {"field": "model", "type": "nominal", "title": None, "sort": None},
            "yOffset": {"field": "side", "type": "nominal", "sort": names},
            "color": _encode_colours("side", dict(zip(names, (GREY, BLUE), strict=True))),
        },
        "layer": [
            _draw_rule(f"{_name_metric(task)}, mean ± standard error"),
            {"mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
             "encoding": {"x": {"field": "mean", "type": "quantitative"}}},
        ],
    }  # fmt: skip


def _draw_answers(task: Compared) -> Spec | None:
    if not task.shared or not task.base or not task.here:
        return None
    before, after = (_read_answers(rows) for rows in (task.shared.base, task.shared.here))
    kinds = np.where(task.kinds == "", "as before", task.kinds)
    some = np.random.default_rng(0).permutation(len(kinds))[:MOST_DOTS]
    points = [{"before": before[i], "after": after[i], "kind": kinds[i]} for i in some]
    label = _label_axis(task)
    scale: Spec = {"zero": False} if task.shared.base.prediction.ndim == 1 else {"domain": [0, 1]}
    ends = [float(min(before.min(), after.min())), float(max(before.max(), after.max()))]
    seen = {name: colour for name, colour in FLIPS.items() if name in set(kinds)}
    return {
        "title": "Test rows, flips in colour",
        "width": WIDTH,
        "height": HEIGHT,
        "layer": [
            {"data": {"values": [{"before": end, "after": end} for end in ends]},
             "mark": {"type": "line", "color": GREY, "strokeDash": [3, 3], "strokeWidth": 1},
             "encoding": _encode_axes(task, label, scale)},
            {"data": {"values": sorted(points, key=lambda point: list(FLIPS).index(point["kind"]))},
             "mark": {"type": "point", "filled": True, "size": 34, "opacity": 0.85},
             "encoding": {**_encode_axes(task, label, scale),
                          "color": _encode_colours("kind", seen)}},
        ],
    }  # fmt: skip


def _encode_axes(task: Compared, label: str, scale: Spec) -> Spec:
    names = [side.snapshot.name if side else "" for side in (task.base, task.here)]
    return {
        axis: {"field": field, "type": "quantitative", "title": f"{label}, {name}",
               "scale": scale, "axis": {"tickCount": 5}}
        for axis, field, name in zip("xy", ("before", "after"), names, strict=True)
    }  # fmt: skip


def _draw_slices(task: Compared) -> Spec | None:
    found = sorted(task.slices, key=_compute_gain)
    if len(found) > MOST_SLICES:  # the worst and the best
        found = found[: MOST_SLICES - 2] + found[-2:]
    if not found:
        return None
    points = [
        {"slice": f"{part.name}  (n = {part.rows})", "value": part.value, "low": part.low,
         "high": part.high, "verdict": part.verdict}
        for part in found
    ]  # fmt: skip
    return {
        "title": f"Slices: change of {_name_metric(task)}",
        "width": WIDTH,
        "height": HEIGHT,
        "layer": [
            {"data": {"values": [{"zero": 0}]}, "mark": {"type": "rule", "color": GREY},
             "encoding": {"x": {"field": "zero", "type": "quantitative"}}},
            {"data": {"values": points},
             "encoding": {"y": _encode_names("slice"),
                          "color": _encode_colours("verdict", _find_verdict_colours(found))},
             "layer": [_draw_rule(f"change, {_describe_direction(task)}"),
                       {"mark": {"type": "point", "filled": True, "size": 45, "opacity": 1},
                        "encoding": {"x": {"field": "value", "type": "quantitative"}}}]},
        ],
    }  # fmt: skip


def _encode_names(field: str) -> Spec:
    axis = {"labelLimit": 260}
    return {"field": field, "type": "nominal", "title": None, "sort": None, "axis": axis}


def _draw_rule(title: str) -> Spec:
    x = {"field": "low", "type": "quantitative", "title": title, "scale": {"zero": False},
         "axis": {"tickCount": 5}}  # fmt: skip
    return {
        "mark": {"type": "rule", "strokeWidth": 2},
        "encoding": {"x": x, "x2": {"field": "high"}},
    }


def _encode_colours(field: str, colours: dict[str, str]) -> Spec:
    scale = {"domain": list(colours), "range": list(colours.values())}
    return {"field": field, "type": "nominal", "scale": scale}


def _find_verdict_colours(found: Sequence[Difference]) -> dict[str, str]:
    return {
        name: colour for name, colour in VERDICTS.items() if name in {one.verdict for one in found}
    }


def _compute_gain(found: Difference) -> float:
    return found.metric.direction * found.value


def _name_metric(task: Compared) -> str:
    return task.own.name if task.own else "metric"


def _describe_direction(task: Compared) -> str:
    return "higher is better" if task.own and task.own.metric.direction > 0 else "lower is better"


def _read_answers(rows: Any) -> Any:
    """Return one number a row: the value, or the probability of the last (the positive) class."""
    return rows.prediction if rows.prediction.ndim == 1 else rows.prediction[:, -1]


def _label_axis(task: Compared) -> str:
    labels = task.here.schema.labels if task.here else ()
    return f"P({labels[-1]})" if labels else "prediction"
