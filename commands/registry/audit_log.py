"""The audit log of an alias: append-only JSON lines, each chained to the one before by its hash.

``data/registry/<task>.jsonl`` belongs in git: the hashes show that a line was changed, and git's
history that lines were taken off the end.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from stages.shared.errors import PipelineError
from stages.shared.frozen import Frozen
from stages.shared.storage import write_text

FOLDER = Path("data/registry")
START = "0" * 64  # what the first line is chained to


class Transition(Frozen):
    """One transition of the alias ``champion``: from which version to which, when, by whom and why.

    ``model`` is the manifest's own version, ``content`` the SHA-256 of the manifest, ``time`` in
    ISO 8601 and UTC. ``hash`` is that of all the other values.
    """

    number: int
    time: str
    task: str
    kind: Literal["promote", "rollback"]
    before: str | None
    version: str
    model: str
    content: str
    commit: str
    by: str
    why: str
    verdict: dict[str, Any] | None
    previous: str
    hash: str

    def compute_hash(self) -> str:
        """Return the SHA-256 that ``hash`` has to be."""
        return hash_content(self.model_dump(mode="json", exclude={"hash"}))


class AuditLog:
    """A task's audit log. Every read verifies the whole chain."""

    def __init__(self, task: str, folder: Path = FOLDER) -> None:
        self.task = task
        self.path = folder / f"{task}.jsonl"

    def transitions(self) -> list[Transition]:
        """Return all in order; raises PipelineError that names the first line not intact."""
        if not self.path.exists():
            return []
        transitions: list[Transition] = []
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            transitions.append(
                self._read(number, line, transitions[-1].hash if transitions else START)
            )
        return transitions

    def last(self) -> Transition | None:
        transitions = self.transitions()
        return transitions[-1] if transitions else None

    def at(self, moment: datetime) -> Transition | None:
        """Return the transition that was in force at a moment; None before the first."""
        past = [
            transition
            for transition in self.transitions()
            if datetime.fromisoformat(transition.time) <= moment
        ]
        return past[-1] if past else None

    def append(self, **content: Any) -> Transition:
        """Add a transition by replacing the whole file: it is there, or not at all."""
        transitions = self.transitions()
        time = _not_before(transitions[-1].time if transitions else None, datetime.now(UTC))
        fields = {"number": len(transitions) + 1, "time": time, "task": self.task, **content}
        fields["previous"] = transitions[-1].hash if transitions else START
        transition = Transition.parse({**fields, "hash": hash_content(fields)}, str(self.path))
        write_text(self.path, "".join(map(_to_line, [*transitions, transition])))
        return transition

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let no second process of this machine move the alias at the same time."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _read(self, number: int, line: str, previous: str) -> Transition:
        where = f"{self.path} line {number}"
        remedy = f"the log is not what was written: `git log -p {self.path}` shows what changed it"
        try:
            transition = Transition.parse(json.loads(line), where)
        except (ValueError, PipelineError) as error:
            raise PipelineError(f"{where} is no transition ({error}); {remedy}") from error
        if transition.compute_hash() != transition.hash:
            raise PipelineError(
                f"{where} has the hash {transition.compute_hash()}, not {transition.hash}; {remedy}"
            )
        if (transition.number, transition.previous, transition.task) != (
            number,
            previous,
            self.task,
        ):
            raise PipelineError(f"{where} does not follow the line before it; {remedy}")
        return transition


def hash_content(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain data, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _to_line(transition: Transition) -> str:
    return (
        f"{json.dumps(transition.model_dump(mode='json'), ensure_ascii=False, allow_nan=False)}\n"
    )


def _not_before(earlier: str | None, now: datetime) -> str:
    """Return the time, but none before the last transition's: a clock may have been set back."""
    time = now.isoformat(timespec="milliseconds")
    return max(time, earlier) if earlier else time
