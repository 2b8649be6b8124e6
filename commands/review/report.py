"""Reports what a change does to every task: ``python -m commands report --base main``.

Writes ``data/report/report.md`` with its pictures (``make report BASE=main``), and ends with exit
code 1 where a task got worse than ``report`` in ``conf/config.yaml`` lets pass.
"""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from commands.review.commits import find_base, head
from commands.review.compare import Compared
from commands.review.findings import find
from commands.review.gate import failures
from commands.review.page import page
from commands.review.pictures import draw
from commands.review.settings import ReportSettings
from commands.review.snapshot import Snapshot
from commands.review.status import headline
from commands.review.store import Store
from stages.runner.declare import lookup, run_plainly
from stages.shared.storage import atomic, write_text

FOLDER = Path("data/report")
MOST_PICTURES = 12


def main() -> None:
    """Write the report; exit code 1 on a declared regression."""
    arguments = parsed(sys.argv[1:])
    store, base = Store(Path.cwd()), find_base(arguments.base)
    here = Snapshot.here(store)
    settings = ReportSettings.parse(lookup(here.params, "report"), "params.yaml: report")
    findings = find(base, head(), Snapshot.of(base, store), here, settings)
    shutil.rmtree(arguments.out, ignore_errors=True)
    pictures = drawn(findings.compared, arguments.out) if arguments.pictures else {}
    failed = failures(findings.compared, settings)
    write_text(arguments.out / "report.md", page(findings, failed, pictures))
    print(f"{headline(findings, failed)}\n{arguments.out / 'report.md'}")
    sys.exit(bool(failed))


def parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m commands report", description=__doc__)
    parser.add_argument("--base", default="main", help="commit or branch to compare with")
    parser.add_argument("--out", default=FOLDER, type=Path, help="folder to write (and empty)")
    parser.add_argument(
        "--no-pictures", dest="pictures", action="store_false", help="Markdown alone"
    )
    return parser.parse_args(words)


def drawn(compared: Sequence[Compared], folder: Path) -> dict[str, str]:
    """Draw the first tasks that were compared; return each one's file by its name."""
    names = {}
    for task in [it for it in compared if it.state == "compared"][:MOST_PICTURES]:
        names[task.task] = f"{task.task}.png"
        with atomic(folder / names[task.task]) as file:
            file.write(draw(task))
    return names


if __name__ == "__main__":
    run_plainly("report", main)
