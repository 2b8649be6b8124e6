"""Makes the challenger champion if it earns it: ``commands promote heart --why …``.

Both are scored on the same test rows, and the alias moves only on a verdict that ``promotion`` in
``conf/config.yaml`` accepts. Every transition is logged in ``data/registry/<task>.jsonl``, which
belongs in git.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from commands.registry.args import move_asked
from commands.registry.audit_log import AuditLog
from commands.registry.promotion_policy import Judgement, TestRows, judge_challenger
from commands.registry.restoring import fetch
from commands.registry.settings import PromotionPolicy
from commands.registry.store import CHALLENGER, registry
from commands.registry.transitions import finish_transition, make_transition
from serve.runtime.load import load_model
from stages.runner.declare import Stage, run_plainly
from stages.shared.errors import PipelineError

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

# Not in dvc.yaml, as `register` explains; declared alike, to get its parameters alike.
STAGE = Stage(
    verb="promote", desc="Make the challenger of {task} its champion", params=PromotionPolicy
)


def main() -> None:
    """Hold the challenger against the champion and move the alias, or say why not."""
    asked = move_asked("promote", __doc__)
    promote(asked.task, asked.by, asked.why)


def promote(task: str, by: str, why: str) -> None:
    """Raise PipelineError where the verdict is not an accepted one; then nothing has changed."""
    params, log = STAGE.load(task=task), AuditLog(task)
    with log.lock(), registry() as store:
        champion, challenger = finish_transition(store, log), store.version(task, CHALLENGER)
        if champion and champion.version == challenger.version:
            print(f"version {champion.version} is the champion of {task} already")
            return
        judgement = compare_models(challenger, champion, params)
        print("\n".join(judgement.lines()))
        if judgement.verdict not in params.promotion.accept:
            raise PipelineError(
                f"version {challenger.version} is not promoted: the verdict is "
                f"{judgement.verdict!r}, promotion.accept in conf/config.yaml has "
                f"{', '.join(params.promotion.accept)}"
            )
        verdict = judgement.content()
        made = make_transition(store, log, challenger, "promote", by=by, why=why, verdict=verdict)
        print(f"version {made.version} is the champion of {task}; commit {log.path}")


def compare_models(
    challenger: "ModelVersion", champion: "ModelVersion | None", params: PromotionPolicy
) -> Judgement:
    """Fetch both models and score them on the task's test rows."""
    with tempfile.TemporaryDirectory() as folder:
        new = load_model(fetch(challenger, Path(folder, "challenger")))
        old = load_model(fetch(champion, Path(folder, "champion"))) if champion else None
    task = new.manifest.task
    return judge_challenger(task, new, old, params, TestRows.read(task, new.manifest))


if __name__ == "__main__":
    run_plainly("promote", main)
