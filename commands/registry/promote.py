"""Makes the challenger champion if it earns it: ``commands promote heart --why …``.

Both are scored on the same test rows, and the alias moves only on a verdict that ``promotion`` in
``conf/config.yaml`` accepts. Every transition is logged in ``data/registry/<task>.jsonl``, which
belongs in git.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.registry.audit_log import AuditLog
from commands.registry.promotion_policy import Judgement, TestRows, judge_challenger
from commands.registry.provenance import check_committed
from commands.registry.restoring import fetch
from commands.registry.settings import PromotionPolicy, read_policy
from commands.registry.store import CHALLENGER, registry
from commands.registry.transitions import finish_transition, make_transition
from serve.runtime.load import load_model
from stages.shared.errors import PipelineError

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

# Not in dvc.yaml, as `register` explains; declared alike, to get its parameters alike.


@dataclass(frozen=True)
class Promotion:
    """What became of a task's challenger; ``judgement`` is None where it was champion already."""

    task: str
    version: str
    log: Path
    is_champion: bool
    judgement: Judgement | None

    def lines(self) -> list[str]:
        """Return what a person reads."""
        if not self.judgement:
            return [f"version {self.version} is the champion of {self.task} already"]
        lines = self.judgement.lines()
        if self.is_champion:
            lines.append(
                f"version {self.version} is the champion of {self.task}; commit {self.log}"
            )
        return lines

    def content(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "task": self.task,
            "version": self.version,
            "champion": self.is_champion,
            **(self.judgement.content() if self.judgement else {}),
        }


class NotPromotedError(PipelineError):
    """The verdict is not an accepted one, and nothing has changed."""

    def __init__(self, promotion: Promotion, message: str) -> None:
        super().__init__(message)
        self.promotion = promotion


def promote(task: str, by: str, why: str) -> Promotion:
    """Compare the challenger with the champion and move the alias.

    Raises NotPromotedError where the verdict is not an accepted one, and PipelineError where the
    challenger's commit does not hold what made it; then nothing has changed.
    """
    params, log = read_policy(task), AuditLog(task)
    with log.lock(), registry() as store:
        champion, challenger = finish_transition(store, log), store.version(task, CHALLENGER)
        version = str(challenger.version)
        if champion and str(champion.version) == version:
            return Promotion(task, version, log.path, True, None)
        check_committed(challenger)
        judgement = compare_models(challenger, champion, params)
        check_verdict(Promotion(task, version, log.path, False, judgement), params)
        verdict = judgement.content()
        make_transition(store, log, challenger, "promote", by=by, why=why, verdict=verdict)
        return Promotion(task, version, log.path, True, judgement)


def check_verdict(promotion: Promotion, params: PromotionPolicy) -> None:
    """Raise NotPromotedError where ``promotion.accept`` does not have the verdict."""
    verdict = promotion.judgement.verdict if promotion.judgement else None
    if verdict not in params.promotion.accept:
        raise NotPromotedError(
            promotion,
            f"version {promotion.version} is not promoted: the verdict is {verdict!r}, "
            f"promotion.accept in conf/config.yaml has {', '.join(params.promotion.accept)}",
        )


def compare_models(
    challenger: "ModelVersion", champion: "ModelVersion | None", params: PromotionPolicy
) -> Judgement:
    """Fetch both models and score them on the task's test rows."""
    with tempfile.TemporaryDirectory() as folder:
        new = load_model(fetch(challenger, Path(folder, "challenger")))
        old = load_model(fetch(champion, Path(folder, "champion"))) if champion else None
    task = new.manifest.task
    return judge_challenger(task, new, old, params, TestRows.read(task, new.manifest))
