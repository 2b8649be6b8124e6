"""Writes the documents' generated tables: ``make readme``.

README's come from the pipeline's results and from ``edits.py``, the list of decisions from the
pages in ``docs/adr``, that of commands from the program and the Makefile, the service's part of
``.env.example`` from its settings.
"""

import json
import re
from pathlib import Path
from typing import Any

import typer

from commands.program import app
from serve.http.settings import PREFIX, Settings
from stages.monitoring.findings import Report
from tests.support.clone import ROOT
from tests.support.contract_reference import render_reference
from tests.support.edits import EDITS

BLOCK = "<!-- {name}: written by `make readme` -->\n{text}<!-- /{name} -->"


DECISIONS = ROOT / "docs/adr/README.md"
COMMANDS = ROOT / "docs/commands.md"
CONTRACT = ROOT / "docs/contract.md"
MONITORING = ROOT / "docs/monitoring.schema.json"
ENVIRONMENT = ROOT / ".env.example"
SERVICE = "# The service; written by `make readme` from serve/http/settings.py\n"


def main() -> None:
    rewrite(ROOT / "README.md", "edits", edits_table())
    rewrite(DECISIONS, "decisions", decisions_table())
    rewrite(COMMANDS, "targets", targets_table())
    rewrite(COMMANDS, "commands", commands_table())
    CONTRACT.write_text(render_reference(), encoding="utf-8")
    MONITORING.write_text(monitoring_schema(), encoding="utf-8")
    text = ENVIRONMENT.read_text(encoding="utf-8").partition(SERVICE)[0]
    ENVIRONMENT.write_text(text + SERVICE + service_variables(), encoding="utf-8")
    if (table := results_table(ROOT)).count("\n") > 2:
        rewrite(ROOT / "README.md", "results", table)
    else:
        print("data/evaluated is empty: README.md keeps its results; `make repro` makes new ones")


def monitoring_schema() -> str:
    """Return the JSON Schema of a monitoring report."""
    schema = Report.model_json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def rewrite(path: Path, name: str, text: str) -> None:
    path.write_text(replaced(path.read_text(encoding="utf-8"), name, text), encoding="utf-8")


def replaced(page: str, name: str, text: str) -> str:
    """Return the page with the block of that name filled anew; it must be there once."""
    pattern = re.escape(BLOCK.format(name=name, text="\0")).replace("\0", "(?s:.*?)")
    made, count = re.subn(pattern, lambda _: BLOCK.format(name=name, text=text), page)
    if count != 1:
        raise ValueError(f"a page has {count} blocks named {name}, not one")
    return made


def block(readme: str, name: str) -> str:
    """Return what stands in the block of that name."""
    pattern = re.escape(BLOCK.format(name=name, text="\0")).replace("\0", "((?s:.*?))")
    found = re.search(pattern, readme)
    return found[1] if found else ""


def edits_table() -> str:
    rows = [f"| {edit.what} | {edit.shown} |" for edit in EDITS]
    return "\n".join(["| edit | stages that run |", "|---|---|", *rows]) + "\n"


def targets_table() -> str:
    """Return one row for each target of the Makefile that says what it does."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    rows = [
        f"| `make {it[1]}` | {it[2]} |" for it in re.finditer(r"^([a-z-]+):.*## (.+)", text, re.M)
    ]
    return "\n".join(["| target | does |", "|---|---|", *rows]) + "\n"


def commands_table() -> str:
    """Return one row for each command, with its arguments and options, as ``--help`` has them."""
    program: Any = typer.main.get_command(app)
    rows = [f"| `{usage(it)}` | {it.get_short_help_str(200)} |" for it in program.commands.values()]
    return "\n".join(["| command | does |", "|---|---|", *rows]) + "\n"


def usage(command: Any) -> str:
    """Return a command's name, its arguments, and its options by their long names."""
    words = [command.name]
    for param in command.params:
        if param.param_type_name == "argument":
            name = param.metavar or param.name.upper()
            words.append(name if param.required else f"[{name}]")
        else:
            words.append(f"[{max(param.opts, key=len)}]")
    return " ".join(words)


def decisions_table() -> str:
    """Return one row for each page in ``docs/adr``: its title, its date and its state."""
    rows = [decision(path) for path in sorted(DECISIONS.parent.glob("[0-9]*.md"))]
    return "\n".join(["| decision | date | status |", "|---|---|---|", *rows]) + "\n"


def decision(path: Path) -> str:
    found = re.match(r"# (.+)\n\nDate: ([\d-]+) · Status: (.+)\n", path.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{path} does not begin with a title, then its date and status")
    return f"| [{found[1]}]({path.name}) | {found[2]} | {found[3]} |"


def service_variables() -> str:
    """Return two lines for each setting of the service: its meaning, and its default."""
    return "".join(
        f"# {field.description}\n# {PREFIX}{name.upper()}={_default(field.default)}\n"
        for name, field in Settings.model_fields.items()
    )


def _default(value: object) -> str:
    return "" if value is None or value == () else str(value).lower()


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
