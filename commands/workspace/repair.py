"""Puts DVC's own files in order after a kill: ``python -m commands repair``."""

from commands.workspace.repairing import mend


def main() -> None:
    """Put the files in order."""
    mend()
