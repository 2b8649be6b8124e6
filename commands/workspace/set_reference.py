"""Makes a validated table the reference: ``python -m commands set-reference heart``.

Copies ``statistics.json`` into ``data/accepted``, where git keeps it.
"""

from pathlib import Path

from stages.shared.errors import PipelineError
from stages.shared.storage import read_json, write_json
from stages.validating.spreads import Statistics


def set_reference(task: str) -> None:
    """Put the task's statistics where `validate` looks for them; refuse a table that failed."""
    folder, accepted = Path("data/validated", task), Path("data/accepted", f"{task}.json")
    if not (folder / "verdict").exists():
        raise PipelineError(
            f"{folder} holds no table that passed: run `dvc repro validate@{task}` first"
        )
    path = folder / "statistics.json"
    found = Statistics.parse(read_json(path), str(path))
    write_json(accepted, found.model_dump())
    print(f"{accepted}: {found.rows:,} rows of source {found.source}; commit it")
