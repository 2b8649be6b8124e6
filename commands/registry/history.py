"""Tells who was champion and when: ``python -m commands history heart --at 2026-11-21T08:00``.

Every time the whole log is verified, hash by hash.
"""

from datetime import UTC, datetime

from commands.registry.args import parser
from commands.registry.audit_log import AuditLog, Transition
from commands.registry.store import registry
from commands.registry.transitions import finish_transition
from stages.runner.declare import run_plainly
from stages.shared.errors import PipelineError


def main() -> None:
    """Print all transitions of a task's champion, or the one in force at a moment."""
    words = parser("champions", __doc__)
    words.add_argument("task")
    words.add_argument("--at", help="a date or time in ISO 8601; UTC unless it has an offset")
    words.add_argument("--verify", action="store_true", help="hold the log against the registry")
    asked = words.parse_args()
    log = AuditLog(asked.task)
    if asked.at:
        print(describe_champion_at(log, asked.at))
        return
    for transition in log.transitions():
        print(format_transition(transition))
    if asked.verify:
        verify(log)


def describe_champion_at(log: AuditLog, moment: str) -> str:
    """Return who was champion at a moment; raises PipelineError for what is no moment."""
    try:
        time = datetime.fromisoformat(moment)
    except ValueError as error:
        message = f"--at {moment!r} is no date or time such as 2026-11-21T08:00"
        raise PipelineError(message) from error
    found = log.at(time if time.tzinfo else time.replace(tzinfo=UTC))
    return format_transition(found) if found else f"{log.task} had no champion at {moment}"


def format_transition(transition: Transition) -> str:
    """Return a transition as a line for people."""
    verdict = f" ({transition.verdict['verdict']})" if transition.verdict else ""
    return (
        f"{transition.number}. {transition.time} {transition.kind} version {transition.version}"
        f"{verdict}, model {transition.model}, commit {transition.commit[:10]}, "
        f"by {transition.by}: {transition.why}"
    )


def verify(log: AuditLog) -> None:
    """Finish a cut-off transition; raises PipelineError where log and registry disagree."""
    with log.lock(), registry() as store:
        champion = finish_transition(store, log)
        version = f"version {champion.version}" if champion else "nobody"
        print(f"{len(log.transitions())} transitions, every hash is right; champion is {version}")


if __name__ == "__main__":
    run_plainly("champions", main)
