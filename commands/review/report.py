"""Reports what a change does to every task: ``python -m commands report --base main``.

Writes ``data/report/report.md`` with its pictures (``make report BASE=main``), and ends with exit
code 1 where a task got worse than ``report`` in ``conf/config.yaml`` lets pass.
"""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.review.commits import find_base, read_head
from commands.review.compare import Compared
from commands.review.findings import gather_findings
from commands.review.markdown import describe_change
from commands.review.page import write_page
from commands.review.pictures import draw_picture
from commands.review.regressions import Regression, find_regressions
from commands.review.settings import ReportSettings
from commands.review.snapshot import Snapshot
from commands.review.status import write_headline
from commands.review.store import Store
from stages.runner.declare import lookup
from stages.shared.storage import atomic, write_text

FOLDER = Path("data/report")
MOST_PICTURES = 12


@dataclass(frozen=True)
class Outcome:
    """The verdict in a line, the regressions that it rests on, and where the report is."""

    headline: str
    regressions: tuple[Regression, ...]
    path: Path

    def content(self) -> dict[str, Any]:
        """Return it as plain data."""
        regressions = [
            {
                "task": found.task,
                "verdict": found.verdict,
                "change": describe_change(found.difference),
            }
            for found in self.regressions
        ]
        return {
            "passed": not self.regressions,
            "headline": self.headline,
            "regressions": regressions,
            "report": str(self.path),
        }


def write_report(base: str, out: Path = FOLDER, with_pictures: bool = True) -> Outcome:
    """Write the report of what differs from the commit or branch ``base`` into the folder."""
    store, commit = Store(Path.cwd()), find_base(base)
    here = Snapshot.here(store)
    settings = ReportSettings.parse(lookup(here.params, "report"), "params.yaml: report")
    findings = gather_findings(commit, read_head(), Snapshot.of(commit, store), here, settings)
    shutil.rmtree(out, ignore_errors=True)
    pictures = draw_pictures(findings.compared, out) if with_pictures else {}
    regressions = tuple(find_regressions(findings.compared, settings))
    write_text(out / "report.md", write_page(findings, regressions, pictures))
    return Outcome(write_headline(findings, regressions), regressions, out / "report.md")


def draw_pictures(compared: Sequence[Compared], folder: Path) -> dict[str, str]:
    """Draw the first tasks that were compared; return each one's file by its name."""
    names = {}
    for task in [task for task in compared if task.state == "compared"][:MOST_PICTURES]:
        names[task.task] = f"{task.task}.png"
        with atomic(folder / names[task.task]) as file:
            file.write(draw_picture(task))
    return names
