"""Puts DVC's own files in order after a kill: ``python -m commands repair``."""

from commands.workspace.repairing import mend


def repair() -> None:
    """Put the files in order."""
    mend()
