"""What `calibrate` learns is the same each time, and right about what would be found."""

import numpy as np
import pandas as pd
import pytest

from stages.monitoring.calibrating import calibrate, choose_sizes
from stages.monitoring.columns import make_plain
from stages.monitoring.judging import Window, judge_window
from stages.monitoring.layout import lay_out
from stages.monitoring.reference import Reference
from stages.monitoring.settings import MonitoringSettings
from stages.monitoring.table import list_answers, list_columns
from stages.monitoring.windows import cut_halves
from stages.shared.errors import PipelineError
from tests.support.monitoring_fixtures import (
    SCHEMA,
    SETTINGS,
    draw_table,
    judge,
    list_numbers,
    make_reference,
    make_settings,
)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return make_reference()


def test_the_same_rows_give_the_same_bytes(reference: Reference) -> None:
    again = make_reference().calibration
    assert again.model_dump_json() == reference.calibration.model_dump_json()


def test_no_window_is_drawn_from_the_rows_it_is_held_against() -> None:
    table = draw_table(300, 4)
    plain = make_plain(table, list_columns(SCHEMA, table))
    for half in cut_halves(lay_out(plain, list_answers(table)), plain, 3, seed=0):
        own = set(half.encoder.scales["height"].values.tolist())
        assert not own & set(half.others.numbers["height"].tolist())
        assert half.base.rows + half.others.rows == 300


def test_the_power_card_foretells_what_is_found(reference: Reference) -> None:
    """Fifty windows: a share of 0.9 is seen as less than 0.76 in 1 of 500 runs."""
    card = reference.calibration.find_card(100)
    assert card is not None
    power = next(column for column in card.columns if column.part == "income")
    assert power.smallest is not None
    shift = power.smallest * power.spread
    tables = (draw_table(100, 3000 + number) for number in range(50))
    moved = (table.assign(income=table["income"] + shift) for table in tables)
    assert sum(judge(reference, table).verdict != "ok" for table in moved) >= 38


def test_sizes_end_where_the_reference_does() -> None:
    assert choose_sizes(1000, (25, 100, 250, 500), in_order=False) == [25, 100, 250, 400]
    assert choose_sizes(1000, (25, 100, 250, 500), in_order=True) == [25, 100, 250]
    assert choose_sizes(10_000, (25, 100), in_order=False) == [25, 100]
    assert choose_sizes(50, (25, 100), in_order=False) == []


def test_series_that_depend_on_themselves_are_no_alarm() -> None:
    """Windows of an AR(1) of 0.9, drawn as if rows were independent, would nearly all alarm."""
    rng = np.random.default_rng(6)
    noise = rng.standard_normal((12_000, 3))
    series = np.zeros_like(noise)
    for row in range(1, len(noise)):
        series[row] = 0.9 * series[row - 1] + noise[row]
    frame = pd.DataFrame(series, columns=["x", "y", "z"])
    columns = list_numbers(["x", "y", "z"])
    settings = make_settings(sizes=[100])
    schema = SCHEMA.model_copy(
        update={
            "fields": tuple(
                f.model_copy(update={"name": n}) for f, n in zip(SCHEMA.fields, "xyz", strict=False)
            )
        }
    )
    known, later = frame.iloc[:4000], frame.iloc[4000:]
    alarms = {}
    for in_order in (True, False):
        calibration = calibrate(make_plain(known, columns), settings, in_order=in_order)
        reference = Reference.prepare("ar", known, schema, calibration)
        windows = [later.iloc[start : start + 100] for start in range(0, 8000, 100)]
        alarms[in_order] = sum(judge_plain(reference, window) for window in windows)
    assert alarms[True] <= 4
    assert alarms[False] >= 30


def judge_plain(reference: Reference, table: pd.DataFrame) -> bool:
    report = judge_window(reference, Window(table.reset_index(drop=True)), make_settings())
    return report.verdict != "ok"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sizes": [100, 50]}, "sizes must grow"),
        ({"sizes": [5]}, "from 10 rows on"),
        ({"budget": 0.001}, "at least 10 windows beyond it"),
    ],
)
def test_settings_that_cannot_hold_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        MonitoringSettings.parse({**SETTINGS, **changes}, "conf/config.yaml")
