"""Holds a prepared table against its contract: ``python -m stages.validate heart``."""

from pathlib import Path
from typing import Annotated

from stages.contract.checks import Checks, ErrorFrom
from stages.contract.columns import Column
from stages.contract.split import Split
from stages.contract.target import Target
from stages.runner.declare import At, Params, Stage
from stages.shared.errors import PipelineError
from stages.shared.frozen import Items
from stages.shared.schema import SPLITS, read_schema
from stages.shared.storage import read_frame, read_json, write_json, write_text
from stages.validating.checks import run_checks
from stages.validating.prepared import Prepared, Unparsed
from stages.validating.report import (
    Report,
    list_errors,
    render_page,
    render_screen,
    summarise_report,
)
from stages.validating.rules import check_rules
from stages.validating.spreads import Statistics
from stages.validating.statistics import compute_statistics


class ValidateParams(Params):
    """The parts of the contract that say what a sound table is."""

    title: Annotated[str, At("task.{task}.title")]
    columns: Annotated[dict[str, Column], At("task.{task}.columns")]
    target: Annotated[Target, At("task.{task}.target")]
    split: Annotated[Split, At("task.{task}.split")]
    source: Annotated[str, At("task.{task}.source")]
    ignored: Annotated[Items[str], At("task.{task}.ignored")]
    slices: Annotated[Items[str], At("task.{task}.slices")]
    checks: Annotated[Checks, At("task.{task}.checks")]
    error_from: Annotated[ErrorFrom, At("task.{task}.error_from")]


STAGE = Stage(
    verb="validate",
    desc="Hold the table of {task} against its contract, and stop before training where it fails",
    params=ValidateParams,
    deps=(
        *(f"data/prepared/{{task}}/{split}.parquet" for split in SPLITS),
        "data/prepared/{task}/schema.json",
        "data/prepared/{task}/unparsed.json",
        "data/prepared/{task}/reading.json",
        "data/accepted",  # of all tasks: not each has been accepted
        "stages/validating/report.html.jinja",
    ),
    outs=(
        "data/validated/{task}/validation.json",
        "data/validated/{task}/validation.html",
        "data/validated/{task}/statistics.json",
        "data/validated/{task}/verdict",
    ),
)


def main(task: str) -> None:
    """Write the report in any case, and the verdict that training waits for where it is good."""
    params = STAGE.load(task=task)
    check_rules(params.checks, params.columns, f"conf/task/{task}.yaml")
    folder = Path("data/validated", task)
    (folder / "verdict").unlink(missing_ok=True)  # an earlier table's
    prepared = read(Path("data/prepared", task), task, params)
    findings = run_checks(prepared)
    report = Report.from_findings(prepared, findings)
    write_json(folder / "validation.json", report.model_dump())
    write_text(folder / "validation.html", render_page(report, params.title, prepared))
    write_json(folder / "statistics.json", compute_statistics(prepared).model_dump())
    print(render_screen(findings, folder / "validation.html"), end="", flush=True)
    if list_errors(findings):
        raise PipelineError(
            f"{summarise_report(report)}; all of it is in {folder / 'validation.html'}"
        )
    write_text(folder / "verdict", "passed\n")
    print(f"{task}: passed, with {summarise_report(report)}")


def read(folder: Path, task: str, params: ValidateParams) -> Prepared:
    """Read a prepared table; raises PipelineError where it was made for another contract."""
    fields = [(field.name, field.type) for field in read_schema(folder).fields]
    if fields != [(name, column.type) for name, column in params.columns.items()]:
        raise PipelineError(
            f"{folder / 'schema.json'} has other columns than conf/task/{task}.yaml: "
            f"run `dvc repro prepare@{task}`"
        )
    unparsed = folder / "unparsed.json"
    reading = read_json(folder / "reading.json")
    return Prepared.from_splits(
        {split: read_frame(folder / f"{split}.parquet") for split in SPLITS},
        task=task,
        columns=params.columns,
        target=params.target,
        split=params.split,
        unparsed={
            name: Unparsed.parse(cells, f"{unparsed}: {name}")
            for name, cells in read_json(unparsed).items()
        },
        header=tuple(reading["columns"]),
        ignored=(*params.ignored, *params.slices),
        checks=params.checks,
        error_from=params.error_from,
        quarantined={"rows": reading["quarantined"], **reading["reasons"]},
        accepted=read_accepted(Path("data/accepted", f"{task}.json")),
        source=params.source,
    )


def read_accepted(path: Path) -> Statistics | None:
    """Read what the table accepted last was like, if any was: `make set-reference` writes it."""
    if not path.exists():
        return None
    return Statistics.parse(read_json(path), str(path))


if __name__ == "__main__":
    STAGE.run(main)
