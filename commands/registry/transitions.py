"""Moves the alias ``champion``, so that a kill at any point leaves nothing half done.

A transition is first written into the log, then carried out, the alias last. Whatever command comes
next finds a transition that was written and not carried out, and finishes it.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.registry.audit_log import AuditLog, Transition
from commands.registry.restoring import COMMIT, fetch, install
from commands.registry.store import CHAMPION, CONTENT, Registry
from stages.shared.errors import PipelineError

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


MODELS = Path("models")


def finish_transition(registry: Registry, log: AuditLog) -> "ModelVersion | None":
    """Carry out the last transition of the log if that was not done; return the champion."""
    if last := find_unfinished(registry, log):
        version = registry.version(log.task, last.version)
        with tempfile.TemporaryDirectory() as folder:
            files = fetch(version, Path(folder)) if last.kind == "rollback" else None
            _carry_out(registry, version, files)
        print(
            f"finished transition {last.number}, which had been cut off: version {last.version} is "
            "champion"
        )
    return registry.version_at_alias(log.task, CHAMPION)


def find_unfinished(registry: Registry, log: AuditLog) -> Transition | None:
    """Return the last transition of the log where it was not carried out.

    Raises PipelineError where the alias is neither where that one began nor where it ended: then
    the log is not this registry's, or somebody moved the alias without it.
    """
    last, champion = log.last(), registry.version_at_alias(log.task, CHAMPION)
    seen = str(champion.version) if champion else None
    expected = last.version if last else None
    if seen == expected:
        _check_content(champion, last, registry)
        return None
    if last is None or seen != last.before:
        raise PipelineError(
            f"{registry.address} has {_name_version(seen)} as champion of {log.task}, {log.path} "
            f"says {_name_version(expected)}: is the log up to date (git pull), and is it this "
            "registry's?"
        )
    _check_content(registry.version(log.task, last.version), last, registry)
    return last


def make_transition(
    registry: Registry,
    log: AuditLog,
    version: "ModelVersion",
    kind: str,
    files: Path | None = None,
    **details: Any,
) -> Transition:
    """Log and make a transition; ``details`` is ``by``, ``why`` and ``verdict``.

    ``files``, a folder that was fetched, is what the service shall read from then on.
    """
    champion = registry.version_at_alias(log.task, CHAMPION)
    made = log.append(
        kind=kind,
        before=str(champion.version) if champion else None,
        version=str(version.version),
        model=version.tags["model.version"],
        content=version.tags[CONTENT],
        commit=version.tags[COMMIT],
        **details,
    )
    _carry_out(registry, version, files)
    return made


def _carry_out(registry: Registry, version: "ModelVersion", files: Path | None) -> None:
    """Install the files, then move the alias: once it has moved, all is done."""
    if files:
        install(files, version, CHAMPION, MODELS)
    registry.set_alias(str(version.name), CHAMPION, str(version.version))


def standing_promotions(transitions: list[Transition]) -> list[Transition]:
    """Return the promotions that made the champions so far, without those that were rolled back."""
    standing: list[Transition] = []
    for transition in transitions:
        if transition.kind == "promote":
            standing.append(transition)
        else:
            while standing and standing[-1].version != transition.version:
                standing.pop()
    return standing


def _check_content(
    version: "ModelVersion | None", last: Transition | None, registry: Registry
) -> None:
    if version and last and version.tags.get(CONTENT) != last.content:
        raise PipelineError(
            f"version {last.version} in {registry.address} is not the model that transition "
            f"{last.number} of the log is about: the log is another registry's"
        )


def _name_version(version: str | None) -> str:
    return f"version {version}" if version else "none"
