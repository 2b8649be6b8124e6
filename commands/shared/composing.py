"""Brings ``params.yaml`` up to date before a command reads it."""

from pathlib import Path

CONFIG = Path("conf/config.yaml")


def compose_first() -> None:
    """Compose as ``compose`` does, where there is a ``conf/`` to compose."""
    from commands.workspace.compose import compose

    if CONFIG.exists():
        compose()
