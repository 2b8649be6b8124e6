"""Shows the report in the summary of a workflow's run: ``python -m commands.review.summary``."""

from pathlib import Path

from commands.review.comment import REPORT
from commands.review.github import run_address, setting
from commands.review.publishing import link_pictures
from stages.shared.errors import run_plainly


def summary() -> None:
    """Add the report to the file that the runner shows."""
    report = REPORT.read_text(encoding="utf-8") if REPORT.exists() else ""
    text = link_pictures(report, run_address()) or "The report could not be built.\n"
    with Path(setting("GITHUB_STEP_SUMMARY")).open("a", encoding="utf-8") as summary:
        summary.write(text)


if __name__ == "__main__":
    run_plainly("summary", summary)
