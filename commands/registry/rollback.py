"""Makes the previous champion champion again: ``python -m commands rollback heart --by A --why B``.

Its bytes are restored from MLflow, or else from DVC's cache or remote, and give their golden
predictions again. Once they are in ``models/``, where the service takes them over, the alias moves.
"""

import tempfile
from pathlib import Path

from commands.registry.audit_log import AuditLog
from commands.registry.restoring import fetch
from commands.registry.store import registry
from commands.registry.transitions import (
    MODELS,
    find_unfinished,
    finish_transition,
    make_transition,
    standing_promotions,
)
from stages.shared.errors import PipelineError


def rollback(task: str, by: str, why: str) -> None:
    """Restore, check, log, install, move; raises PipelineError before anything has changed.

    One that was cut off after it was logged is finished, and not followed by a second one.
    """
    log = AuditLog(task)
    with log.lock(), registry() as store, tempfile.TemporaryDirectory() as folder:
        cut_off = find_unfinished(store, log)
        champion = finish_transition(store, log)
        if not (champion and cut_off and cut_off.kind == "rollback"):
            champion = store.version(task, find_previous(log))
            files = fetch(champion, Path(folder))
            make_transition(store, log, champion, "rollback", files, by=by, why=why, verdict=None)
        print(f"version {champion.version} is the champion of {task} again, and in {MODELS / task}")
        print(f"commit {log.path}", flush=True)


def find_previous(log: AuditLog) -> str:
    """Return the version before the present champion; raises PipelineError if there was none."""
    standing = standing_promotions(log.transitions())
    if len(standing) < 2:
        raise PipelineError(f"{log.path} has no champion of {log.task} before the present one")
    return standing[-2].version
