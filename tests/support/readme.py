"""Writes README's tables from the pipeline's results and from ``edits.py``: ``make readme``."""

import json
import re
from pathlib import Path
from typing import Any

from tests.support.clone import ROOT
from tests.support.edits import EDITS

BLOCK = "<!-- {name}: written by `make readme` -->\n{text}<!-- /{name} -->"


def main() -> None:
    path = ROOT / "README.md"
    text = replaced(path.read_text(encoding="utf-8"), "results", results_table(ROOT))
    path.write_text(replaced(text, "edits", edits_table()), encoding="utf-8")


def replaced(readme: str, name: str, text: str) -> str:
    """Return the page with the block of that name filled anew; it must be there once."""
    pattern = re.escape(BLOCK.format(name=name, text="\0")).replace("\0", "(?s:.*?)")
    page, count = re.subn(pattern, lambda _: BLOCK.format(name=name, text=text), readme)
    if count != 1:
        raise ValueError(f"README.md has {count} blocks named {name}, not one")
    return page


def block(readme: str, name: str) -> str:
    """Return what stands in the block of that name."""
    pattern = re.escape(BLOCK.format(name=name, text="\0")).replace("\0", "((?s:.*?))")
    found = re.search(pattern, readme)
    return found[1] if found else ""


def edits_table() -> str:
    rows = [f"| {edit.what} | {edit.shown} |" for edit in EDITS]
    return "\n".join(["| edit | stages that run |", "|---|---|", *rows]) + "\n"


def results_table(root: Path) -> str:
    """Return one row for each evaluated task, from what `evaluate` wrote below ``root``."""
    head = "| task | champion | on test rows | baseline | n |"
    tasks = sorted(path.parent for path in (root / "data/evaluated").glob("*/metrics.json"))
    return "\n".join([head, "|---|---|---|---|---|", *map(_row, tasks)]) + "\n"


def _row(folder: Path) -> str:
    metrics, evaluation = _read(folder / "metrics.json"), _read(folder / "evaluation.json")
    name = evaluation["metric"]
    score = metrics[name]
    shown = f"{_number(score['value'])} [{_number(score['low'])}, {_number(score['high'])}]"
    cells = (folder.name, metrics["champion"], f"{name} {shown}", _number(score["baseline"]))
    return f"| {' | '.join(cells)} | {metrics['n']} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
