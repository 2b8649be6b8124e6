"""Holds later rows of a task against its reference: ``python -m stages.monitor heart``."""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
from pathlib import Path
from typing import Annotated

import pandas as pd

import serve.runtime.transformer  # noqa: F401 - a text's model may be one: load_model tells then
from serve.runtime.load import load_model
from stages.contract.columns import Column
from stages.contract.target import Target
from stages.monitoring.answering import make_predict
from stages.monitoring.calibration import Calibration
from stages.monitoring.findings import Report
from stages.monitoring.judging import Window, judge_window
from stages.monitoring.page import list_metrics, render_page, render_screen
from stages.monitoring.reading import ReadWindow, read_window
from stages.monitoring.reference import Reference
from stages.monitoring.settings import MonitoringSettings
from stages.monitoring.table import LOSS, compute_losses, decide_labels, tabulate_answers
from stages.runner.declare import At, Params, Stage
from stages.shared.errors import PipelineError
from stages.shared.schema import TARGET, Schema, read_schema
from stages.shared.storage import read_frame, read_json, write_json, write_text


class MonitorParams(Params):
    """The contract, how windows are judged, and where the window is."""

    title: Annotated[str, At("task.{task}.title")]
    columns: Annotated[dict[str, Column], At("task.{task}.columns")]
    target: Annotated[Target, At("task.{task}.target")]
    window: Annotated[str | None, At("task.{task}.window")]
    monitoring: Annotated[MonitoringSettings, At("monitoring")]


STAGE = Stage(
    verb="monitor",
    desc="Hold the window of {task} against its reference",
    params=MonitorParams,
    deps=(
        "{window}",
        "data/calibrated/{task}/reference.parquet",
        "data/calibrated/{task}/calibration.json",
        "data/prepared/{task}/schema.json",
        "models/{task}",
        "stages/monitoring/page.html.jinja",
    ),
    outs=(
        "data/monitored/{task}/monitoring.json",
        "data/monitored/{task}/monitoring.html",
    ),
    metrics=("data/monitored/{task}/metrics.json",),
)


def main(task: str) -> None:
    """Write the report on the window that the contract names."""
    params = STAGE.load(task=task)
    if params.window is None:
        raise PipelineError(f"conf/task/{task}.yaml names no window: set `window` to a file")
    report = judge_file(task, Path(params.window), params)
    folder = Path("data/monitored", task)
    write_report(report, params.title, folder)
    write_json(folder / "metrics.json", list_metrics(report))
    print(render_screen(report, folder / "monitoring.html"), end="")


def write_report(report: Report, title: str, folder: Path) -> None:
    """Write the report for programs and as a page."""
    write_json(folder / "monitoring.json", report.model_dump(mode="json"))
    write_text(folder / "monitoring.html", render_page(report, title))


def judge_file(task: str, path: Path, params: MonitorParams) -> Report:
    """Return the report on a file of later rows; raises PipelineError where it cannot be read."""
    schema = read_schema(Path("data/prepared", task))
    folder = Path("data/calibrated", task)
    calibration = Calibration.parse(
        read_json(folder / "calibration.json"), str(folder / "calibration.json")
    )
    table = read_frame(folder / "reference.parquet")
    model = load_model(Path("models", task))
    predict = make_predict(model)
    read = read_window(path, params.columns, params.target)
    version = model.manifest.version
    if read.version not in (None, version):
        raise PipelineError(
            f"{path} was answered by version {read.version}, models/{task} is {version}: "
            "collect a window of that version, or restore its model"
        )
    predictions = predict(read.table)
    labels = decide_labels(predictions, schema, model.manifest.target.threshold)
    answers = tabulate_answers(predictions, schema, labels)
    window = Window(
        pd.concat([read.table, answers, *list_losses(read, predictions, schema)], axis=1),
        version,
        read.misfits,
    )
    reference = Reference.prepare(task, table, schema, calibration)
    return judge_window(reference, window, params.monitoring, predict)


def list_losses(read: ReadWindow, predictions: object, schema: Schema) -> list[pd.Series]:
    """Return the losses as a column, where the truth is known."""
    if TARGET not in read.table:
        return []
    losses = compute_losses(predictions, read.table[TARGET], schema)  # type: ignore[arg-type]
    return [pd.Series(losses, name=LOSS)]


if __name__ == "__main__":
    STAGE.run(main)
