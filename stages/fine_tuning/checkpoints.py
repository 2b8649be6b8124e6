"""Keeps what a killed run has done, so that the next one goes on from there.

DVC deletes a stage's outputs before it runs, so this lies beside them, in a folder of its own that
neither DVC nor git knows. Each set of inputs has its own subfolder: what was kept for other data,
parameters, code or libraries is never used, and deleted. A success deletes everything.
"""

import hashlib
import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stages.shared.storage import atomic

log = logging.getLogger(__name__)
SLOTS = ("even", "odd")  # the two latest checkpoints take turns
HASH_BYTES = hashlib.sha256().digest_size
State = dict[str, Any]


@dataclass(frozen=True)
class CheckpointStore:
    """The folder for one set of inputs, named by their fingerprint."""

    folder: Path

    def result(self, job: str) -> State | None:
        """Return what a finished job came to, if it is kept and whole."""
        return _read(self.folder / f"{job}.done")

    def keep_result(self, job: str, state: State) -> None:
        """Keep what a finished job came to; its checkpoints are not needed any more."""
        _write(self.folder / f"{job}.done", state)
        for slot in SLOTS:
            (self.folder / slot).unlink(missing_ok=True)

    def latest(self, job: str) -> State | None:
        """Return the state of a job after most steps, if one is kept and whole."""
        found = [state for slot in SLOTS if (state := _read(self.folder / slot))]
        return max(
            (state for state in found if state["job"] == job),
            key=lambda state: int(state["step"]),
            default=None,
        )

    def keep(self, job: str, number: int, state: State) -> None:
        """Keep a job's state as its checkpoint ``number``; the last but one is overwritten."""
        _write(self.folder / SLOTS[number % 2], {**state, "job": job})


def delete_checkpoints(folder: Path, but: Path | None = None) -> None:
    """Delete what a stage keeps in ``folder``, for all sets of inputs ``but`` one."""
    for other in folder.glob("*"):
        if other != but:
            for file in other.iterdir():
                file.unlink()
            other.rmdir()


def _write(path: Path, state: State) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    with atomic(path) as file:
        file.write(hashlib.sha256(content).digest())
        file.write(content)


def _read(path: Path) -> State | None:
    """Return the state, or None where the file is absent or torn."""
    if not path.exists():
        return None
    whole = path.read_bytes()
    digest, content = whole[:HASH_BYTES], whole[HASH_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        log.warning("%s is damaged: it is ignored, and its work done again", path)
        return None
    state: State = torch.load(io.BytesIO(content), weights_only=True)
    return state
