"""Remembers what was composed last, here and not in git: an edit of it is told from one of conf/.

Where ``params.yaml`` is still what was remembered, whatever ``conf/`` gives otherwise is newer.
"""

import hashlib
from pathlib import Path

from stages.shared.storage import write_text

RECORD = Path(".dvc/tmp/composed")


def remember(text: str) -> None:
    """Note that ``conf/`` gave this text of ``params.yaml``, and by the file's time, when."""
    write_text(RECORD, _hash(text))


def forget() -> None:
    """Drop the record, so that no text counts as composed."""
    RECORD.unlink(missing_ok=True)


def is_remembered(text: str) -> bool:
    """Say whether this text of ``params.yaml`` is the one that ``conf/`` gave last."""
    return RECORD.exists() and RECORD.read_text(encoding="utf-8") == _hash(text)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
