"""Puts DVC's own files in order after a kill or a merge: ``python -m commands repair``."""

from commands.workspace.conflicts import find_conflicts
from commands.workspace.repairing import repair_files
from stages.composing.paths import GENERATED


def repair() -> None:
    """Compose again what is composed and in conflict, then put the files in order."""
    if composed := [str(path) for path in find_conflicts() if path in GENERATED]:
        from commands.workspace.compose import compose  # loads Hydra

        print(f"in conflict, so composed again: {', '.join(composed)}", flush=True)
        compose()
    repair_files()
