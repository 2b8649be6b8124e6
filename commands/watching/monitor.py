"""Judges a file of later rows outside DVC: ``python -m commands monitor heart later.parquet``."""

from pathlib import Path

from commands.shared.output import print_json
from stages.monitor import STAGE, judge_file, write_report
from stages.monitoring.findings import Verdict
from stages.monitoring.page import render_screen
from stages.shared.errors import PipelineError

EXIT_CODES: dict[Verdict, int] = {"ok": 0, "warn": 0, "alarm": 1, "not judged": 2}


def monitor_file(task: str, window: Path | None, out: Path | None, as_json: bool) -> Verdict:
    """Print the report on a file, write it where asked, and return the verdict.

    Raises PipelineError where the file or what was calibrated cannot be read.
    """
    params = STAGE.load(task=task)
    path = window or (Path(params.window) if params.window else None)
    if path is None:
        raise PipelineError(f"which rows? conf/task/{task}.yaml names no window: name a file")
    report = judge_file(task, path, params)
    if out:
        write_report(report, params.title, out)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        print(render_screen(report, out / "monitoring.html" if out else None), end="")
    return report.verdict
