"""The log of every move of an alias: append-only JSON lines, each chained to the one before.

``data/registry/<task>.jsonl`` belongs into git: the hashes show that a line was changed, and git's
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


class Move(Frozen):
    """One move of the alias ``champion``: from which version to which, when, by whom and why.

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

    def digest(self) -> str:
        """Return the SHA-256 that ``hash`` has to be."""
        return digest(self.model_dump(mode="json", exclude={"hash"}))


class Ledger:
    """A task's log. Every read verifies the whole chain."""

    def __init__(self, task: str, folder: Path = FOLDER) -> None:
        self.task = task
        self.path = folder / f"{task}.jsonl"

    def moves(self) -> list[Move]:
        """Return all moves in order; raises PipelineError that names the first line not intact."""
        if not self.path.exists():
            return []
        moves: list[Move] = []
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            moves.append(self._read(number, line, moves[-1].hash if moves else START))
        return moves

    def last(self) -> Move | None:
        moves = self.moves()
        return moves[-1] if moves else None

    def at(self, moment: datetime) -> Move | None:
        """Return the move that was in force at a moment; None before the first."""
        past = [move for move in self.moves() if datetime.fromisoformat(move.time) <= moment]
        return past[-1] if past else None

    def append(self, **content: Any) -> Move:
        """Add a move, as one replacement of the file: it is there as a whole, or not at all."""
        moves = self.moves()
        time = _not_before(moves[-1].time if moves else None, datetime.now(UTC))
        fields = {"number": len(moves) + 1, "time": time, "task": self.task, **content}
        fields["previous"] = moves[-1].hash if moves else START
        move = Move.parse({**fields, "hash": digest(fields)}, str(self.path))
        write_text(self.path, "".join(f"{_line(it)}\n" for it in [*moves, move]))
        return move

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

    def _read(self, number: int, line: str, previous: str) -> Move:
        where = f"{self.path} line {number}"
        remedy = f"the log is not what was written: `git log -p {self.path}` shows what changed it"
        try:
            move = Move.parse(json.loads(line), where)
        except (ValueError, PipelineError) as error:
            raise PipelineError(f"{where} is no move ({error}); {remedy}") from error
        if move.digest() != move.hash:
            raise PipelineError(f"{where} has the hash {move.digest()}, not {move.hash}; {remedy}")
        if (move.number, move.previous, move.task) != (number, previous, self.task):
            raise PipelineError(f"{where} does not follow the line before it; {remedy}")
        return move


def digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain data, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _line(move: Move) -> str:
    return json.dumps(move.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)


def _not_before(earlier: str | None, now: datetime) -> str:
    """Return the time, but none before the last move's: a clock may have been set back."""
    time = now.isoformat(timespec="milliseconds")
    return max(time, earlier) if earlier else time
