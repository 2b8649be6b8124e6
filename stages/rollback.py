"""Makes the previous champion champion again: ``python -m stages.rollback heart --by A --why B``.

Its bytes are restored from MLflow, or else from DVC's cache or remote, and give their golden
predictions again before the alias moves. Then they are in ``models/``, where the service takes
them over.
"""

import tempfile
from pathlib import Path

from stages.core.declare import run_plainly
from stages.core.errors import PipelineError
from stages.registering.asked import move_asked
from stages.registering.ledger import Ledger
from stages.registering.moves import champions, finish, move
from stages.registering.restoring import fetch, install
from stages.registering.store import CHAMPION, registry

MODELS = Path("models")


def main() -> None:
    asked = move_asked("rollback", __doc__)
    rollback(asked.task, asked.by, asked.why)


def rollback(task: str, by: str, why: str) -> None:
    """Restore, check, move and install; raises PipelineError before anything has changed."""
    ledger = Ledger(task)
    with ledger.lock(), registry() as store, tempfile.TemporaryDirectory() as folder:
        finish(store, ledger)
        standing = champions(ledger.moves())
        if len(standing) < 2:
            raise PipelineError(f"{ledger.path} has no champion of {task} before the present one")
        version = store.version(task, standing[-2].version)
        files = fetch(version, Path(folder))
        move(store, ledger, version, "rollback", by=by, why=why, verdict=None)
        install(files, version, CHAMPION, MODELS)
        print(f"version {version.version} is the champion of {task} again, and in {MODELS / task}")
        print(f"commit {ledger.path}")


if __name__ == "__main__":
    run_plainly("rollback", main)
