"""Makes the challenger champion if it earns it: ``commands promote heart --why …``.

Both are scored on the same test rows, and the alias moves only on a verdict that ``promotion`` in
``conf/config.yaml`` accepts. Every move is in ``data/registry/<task>.jsonl``, which goes into git.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from commands.registry.args import move_asked
from commands.registry.audit_log import Ledger
from commands.registry.promotion_policy import Judgement, Test, judge
from commands.registry.restoring import fetch
from commands.registry.settings import GateParams
from commands.registry.store import CHALLENGER, registry
from commands.registry.transitions import finish, move
from serve.runtime.load import load_model
from stages.runner.declare import Stage, run_plainly
from stages.shared.errors import PipelineError

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

# Not in dvc.yaml, as `register` explains; declared alike, to get its parameters alike.
STAGE = Stage(verb="promote", desc="Make the challenger of {task} its champion", params=GateParams)


def main() -> None:
    """Hold the challenger against the champion and move the alias, or say why not."""
    asked = move_asked("promote", __doc__)
    promote(asked.task, asked.by, asked.why)


def promote(task: str, by: str, why: str) -> None:
    """Raise PipelineError where the verdict is not an accepted one; then nothing has changed."""
    params, ledger = STAGE.load(task=task), Ledger(task)
    with ledger.lock(), registry() as store:
        champion, challenger = finish(store, ledger), store.version(task, CHALLENGER)
        if champion and champion.version == challenger.version:
            print(f"version {champion.version} is the champion of {task} already")
            return
        judgement = judged(challenger, champion, params)
        print("\n".join(judgement.lines()))
        if judgement.verdict not in params.promotion.accept:
            raise PipelineError(
                f"version {challenger.version} is not promoted: the verdict is "
                f"{judgement.verdict!r}, promotion.accept in conf/config.yaml has "
                f"{', '.join(params.promotion.accept)}"
            )
        verdict = judgement.content()
        made = move(store, ledger, challenger, "promote", by=by, why=why, verdict=verdict)
        print(f"version {made.version} is the champion of {task}; commit {ledger.path}")


def judged(
    challenger: "ModelVersion", champion: "ModelVersion | None", params: GateParams
) -> Judgement:
    """Fetch both models and score them on the task's test rows."""
    with tempfile.TemporaryDirectory() as folder:
        new = load_model(fetch(challenger, Path(folder, "challenger")))
        old = load_model(fetch(champion, Path(folder, "champion"))) if champion else None
    task = new.manifest.task
    return judge(task, new, old, params, Test.read(task, new.manifest))


if __name__ == "__main__":
    run_plainly("promote", main)
