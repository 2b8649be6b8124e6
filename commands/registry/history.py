"""Tells who was champion and when: ``python -m commands history heart --at 2026-11-21T08:00``.

Every time the whole log is verified, hash by hash.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from commands.registry.audit_log import AuditLog, Transition
from commands.registry.store import registry
from commands.registry.transitions import finish_transition
from stages.shared.errors import PipelineError


@dataclass(frozen=True)
class History:
    """A champion's transitions; with ``at`` the one in force then. ``checked`` is in words."""

    task: str
    transitions: tuple[Transition, ...]
    at: str | None = None
    checked: str | None = None

    def lines(self) -> list[str]:
        """Return what a person reads."""
        nobody = f"{self.task} had no champion" + (f" at {self.at}" if self.at else " yet")
        return [*(map(format_transition, self.transitions) if self.transitions else [nobody])] + (
            [self.checked] if self.checked else []
        )

    def content(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "task": self.task,
            "transitions": [one.model_dump(mode="json") for one in self.transitions],
            "registry_checked": self.checked is not None,
        }


def history(task: str, at: str | None = None, check_registry: bool = False) -> History:
    """Return all transitions of a task's champion, or the one in force at a moment.

    Raises PipelineError where the log is not intact, or, if that is checked, differs from the
    registry.
    """
    log = AuditLog(task)
    transitions = [find_transition_at(log, at)] if at else log.transitions()
    checked = verify(log) if check_registry else None
    return History(task, tuple(one for one in transitions if one), at, checked)


def find_transition_at(log: AuditLog, moment: str) -> Transition | None:
    """Return the transition in force at a moment; raises PipelineError for what is no moment."""
    try:
        time = datetime.fromisoformat(moment)
    except ValueError as error:
        message = f"--at {moment!r} is no date or time such as 2026-11-21T08:00"
        raise PipelineError(message) from error
    return log.at(time if time.tzinfo else time.replace(tzinfo=UTC))


def format_transition(transition: Transition) -> str:
    """Return a transition as a line for people."""
    verdict = f" ({transition.verdict['verdict']})" if transition.verdict else ""
    return (
        f"{transition.number}. {transition.time} {transition.kind} version {transition.version}"
        f"{verdict}, model {transition.model}, commit {transition.commit[:10]}, "
        f"by {transition.by}: {transition.why}"
    )


def verify(log: AuditLog) -> str:
    """Finish a cut-off transition and say that all agrees.

    Raises PipelineError where log and registry disagree.
    """
    with log.lock(), registry() as store:
        champion = finish_transition(store, log)
        version = f"version {champion.version}" if champion else "nobody"
        return f"{len(log.transitions())} transitions, every hash is right; champion is {version}"
