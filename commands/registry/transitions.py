"""Moves the alias ``champion``, so that a kill at any point leaves nothing half done.

A move is first written into the log, then carried out, the alias last. Whatever command comes next
finds a move that was written and not carried out, and finishes it.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.registry.audit_log import Ledger, Move
from commands.registry.restoring import COMMIT, fetch, install
from commands.registry.store import CHAMPION, CONTENT, Registry
from stages.shared.errors import PipelineError

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


MODELS = Path("models")


def finish(registry: Registry, ledger: Ledger) -> "ModelVersion | None":
    """Carry out the last move of the log if that was not done; return the champion."""
    if last := unfinished(registry, ledger):
        version = registry.version(ledger.task, last.version)
        with tempfile.TemporaryDirectory() as folder:
            files = fetch(version, Path(folder)) if last.kind == "rollback" else None
            _carry_out(registry, version, files)
        print(
            f"finished move {last.number}, which had been cut off: version {last.version} is "
            "champion"
        )
    return registry.aliased(ledger.task, CHAMPION)


def unfinished(registry: Registry, ledger: Ledger) -> Move | None:
    """Return the last move of the log where it was not carried out.

    Raises PipelineError where the alias is neither where the last move began nor where it ended:
    then the log is not this registry's, or somebody moved the alias without it.
    """
    last, champion = ledger.last(), registry.aliased(ledger.task, CHAMPION)
    seen = str(champion.version) if champion else None
    expected = last.version if last else None
    if seen == expected:
        _check_content(champion, last, registry)
        return None
    if last is None or seen != last.before:
        raise PipelineError(
            f"{registry.shown} has {_named(seen)} as champion of {ledger.task}, {ledger.path} says "
            f"{_named(expected)}: is the log up to date (git pull), and is it this registry's?"
        )
    _check_content(registry.version(ledger.task, last.version), last, registry)
    return last


def move(
    registry: Registry,
    ledger: Ledger,
    version: "ModelVersion",
    kind: str,
    files: Path | None = None,
    **told: Any,
) -> Move:
    """Log and make a move; ``told`` is ``by``, ``why`` and ``verdict``.

    ``files``, a folder that was fetched, is what the service shall read from then on.
    """
    champion = registry.aliased(ledger.task, CHAMPION)
    made = ledger.append(
        kind=kind,
        before=str(champion.version) if champion else None,
        version=str(version.version),
        model=version.tags["model.version"],
        content=version.tags[CONTENT],
        commit=version.tags[COMMIT],
        **told,
    )
    _carry_out(registry, version, files)
    return made


def _carry_out(registry: Registry, version: "ModelVersion", files: Path | None) -> None:
    """Install the files, then move the alias: once it has moved, all is done."""
    if files:
        install(files, version, CHAMPION, MODELS)
    registry.point(str(version.name), CHAMPION, str(version.version))


def champions(moves: list[Move]) -> list[Move]:
    """Return the moves that made the champions so far, without those that were rolled back."""
    standing: list[Move] = []
    for it in moves:
        if it.kind == "promote":
            standing.append(it)
        else:
            while standing and standing[-1].version != it.version:
                standing.pop()
    return standing


def _check_content(version: "ModelVersion | None", last: Move | None, registry: Registry) -> None:
    if version and last and version.tags.get(CONTENT) != last.content:
        raise PipelineError(
            f"version {last.version} in {registry.shown} is not the model that move {last.number} "
            "of the log is about: the log is another registry's"
        )


def _named(version: str | None) -> str:
    return f"version {version}" if version else "none"
