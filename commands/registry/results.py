"""What the pipeline has left of a task, as it is registered."""

from dataclasses import dataclass
from pathlib import Path

from commands.registry.audit_log import hash_content
from commands.workspace.provenance import Workspace
from serve.runtime.manifest import Manifest
from stages.evaluating.content import Candidate, Evaluation
from stages.exporting.publishing import CARD
from stages.shared.storage import sha256


@dataclass(frozen=True)
class TaskResults:
    """What is to be registered of a task, as the pipeline has left it."""

    task: str
    evaluated: Evaluation
    manifest: Manifest
    content: str
    workspace: Workspace

    @property
    def model(self) -> Path:
        return Path("models", self.task)

    @property
    def card(self) -> str:
        return (self.model / CARD).read_text(encoding="utf-8")

    def folder(self, candidate: Candidate) -> Path:
        return Path("data/candidates", self.task, candidate.model)

    def is_champion(self, candidate: Candidate) -> bool:
        return candidate.model == self.evaluated.champion

    def tags(self) -> dict[str, str]:
        """Return what says where all of it came from."""
        splits = self.manifest.hashes.data
        return {
            **self.workspace.tags(),
            "task": self.task,
            "problem": self.manifest.problem,
            **{f"data.{split}.sha256": value for split, value in splits.items()},
        }

    def identity(self, candidate: Candidate) -> str:
        """Return a hash of all that a candidate's run holds: equal content is one run."""
        folder = self.folder(candidate)
        parts = {name: sha256(folder / name) for name in ("candidate.json", "model.joblib")}
        parts["evaluation"] = sha256(Path("data/evaluated", self.task, "evaluation.json"))
        parts["model"] = self.content if self.is_champion(candidate) else ""
        return hash_content(parts)
