"""Tells who was champion and when: ``python -m commands history heart --at 2026-11-21T08:00``.

Every time the whole log is verified, hash by hash.
"""

from datetime import UTC, datetime

from commands.registry.args import parser
from commands.registry.audit_log import Ledger, Move
from commands.registry.store import registry
from commands.registry.transitions import finish
from stages.runner.declare import run_plainly
from stages.shared.errors import PipelineError


def main() -> None:
    """Print all moves of a task's champion, or the one in force at a moment."""
    words = parser("champions", __doc__)
    words.add_argument("task")
    words.add_argument("--at", help="a date or time in ISO 8601; UTC unless it has an offset")
    words.add_argument("--verify", action="store_true", help="hold the log against the registry")
    asked = words.parse_args()
    ledger = Ledger(asked.task)
    if asked.at:
        print(champion_at(ledger, asked.at))
        return
    for move in ledger.moves():
        print(told(move))
    if asked.verify:
        verify(ledger)


def champion_at(ledger: Ledger, moment: str) -> str:
    """Return who was champion at a moment; raises PipelineError for what is no moment."""
    try:
        asked = datetime.fromisoformat(moment)
    except ValueError as error:
        message = f"--at {moment!r} is no date or time such as 2026-11-21T08:00"
        raise PipelineError(message) from error
    move = ledger.at(asked if asked.tzinfo else asked.replace(tzinfo=UTC))
    return told(move) if move else f"{ledger.task} had no champion at {moment}"


def told(move: Move) -> str:
    """Return a move as a line for people."""
    verdict = f" ({move.verdict['verdict']})" if move.verdict else ""
    return (
        f"{move.number}. {move.time} {move.kind} version {move.version}{verdict}, model "
        f"{move.model}, commit {move.commit[:10]}, by {move.by}: {move.why}"
    )


def verify(ledger: Ledger) -> None:
    """Finish a move that was cut off; raises PipelineError where log and registry disagree."""
    with ledger.lock(), registry() as store:
        champion = finish(store, ledger)
        version = f"version {champion.version}" if champion else "nobody"
        print(f"{len(ledger.moves())} moves, every hash is right; champion is {version}")


if __name__ == "__main__":
    run_plainly("champions", main)
