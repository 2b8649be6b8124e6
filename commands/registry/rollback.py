"""Makes the previous champion champion again: ``python -m commands rollback heart --by A --why B``.

Its bytes are restored from MLflow, or else from DVC's cache or remote, and give their golden
predictions again. Once they are in ``models/``, where the service takes them over, the alias moves.
"""

import tempfile
from pathlib import Path

from commands.registry.args import move_asked
from commands.registry.audit_log import Ledger
from commands.registry.restoring import fetch
from commands.registry.store import registry
from commands.registry.transitions import MODELS, champions, finish, move, unfinished
from stages.runner.declare import run_plainly
from stages.shared.errors import PipelineError


def main() -> None:
    asked = move_asked("rollback", __doc__)
    rollback(asked.task, asked.by, asked.why)


def rollback(task: str, by: str, why: str) -> None:
    """Restore, check, log, install and move; raises PipelineError before anything has changed.

    One that was cut off after it was logged is finished, and not followed by a second one.
    """
    ledger = Ledger(task)
    with ledger.lock(), registry() as store, tempfile.TemporaryDirectory() as folder:
        cut_off = unfinished(store, ledger)
        champion = finish(store, ledger)
        if not (champion and cut_off and cut_off.kind == "rollback"):
            champion = store.version(task, previous(ledger))
            files = fetch(champion, Path(folder))
            move(store, ledger, champion, "rollback", files, by=by, why=why, verdict=None)
        print(f"version {champion.version} is the champion of {task} again, and in {MODELS / task}")
        print(f"commit {ledger.path}", flush=True)


def previous(ledger: Ledger) -> str:
    """Return the version before the present champion; raises PipelineError if there was none."""
    standing = champions(ledger.moves())
    if len(standing) < 2:
        raise PipelineError(
            f"{ledger.path} has no champion of {ledger.task} before the present one"
        )
    return standing[-2].version


if __name__ == "__main__":
    run_plainly("rollback", main)
