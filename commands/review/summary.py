"""Shows the report in the summary of a workflow's run: ``python -m commands.review.summary``."""

from pathlib import Path

from commands.review.comment import REPORT
from commands.review.github import make_run_address, read_setting
from commands.review.publishing import link_pictures
from stages.shared.errors import run_plainly


def show_summary() -> None:
    """Add the report to the file that the runner shows."""
    report = REPORT.read_text(encoding="utf-8") if REPORT.exists() else ""
    text = link_pictures(report, make_run_address()) or "The report could not be built.\n"
    with Path(read_setting("GITHUB_STEP_SUMMARY")).open("a", encoding="utf-8") as summary:
        summary.write(text)


if __name__ == "__main__":
    run_plainly("summary", show_summary)
