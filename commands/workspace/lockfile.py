"""``dvc.lock``: what it says of each stage, and its text in pieces that can be moved unchanged."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from commands.workspace.merging import Entry, split_entries
from stages.shared.conflict import has_conflict
from stages.shared.errors import PipelineError
from stages.shared.storage import write_text

LOCK = Path("dvc.lock")


def read_lock() -> str:
    return read_text(LOCK) or ""


def read_text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def read_stages(
    read: Callable[[Path], str | None] = read_text, prefix: str = ""
) -> dict[str, dict[str, Any]]:
    """Return the entry of each stage whose name begins with ``prefix``; of all by default.

    ``read`` returns a file's text by its path from the root, or None: the workspace's files by
    default, else those of a commit or of another folder. Raises PipelineError for one in conflict.
    """
    text = read(LOCK) or ""
    if has_conflict(text):
        raise PipelineError(f"{LOCK} is in conflict: `python -m commands repair` first")
    if prefix:
        kept = [block for name, block in split_entries(text) if name.startswith(prefix)]
        text = "".join(["stages:\n", *kept])
    return (YAML(typ="safe").load(text) or {}).get("stages") or {}


def list_output_hashes(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return the MD5 of each output in a stage's entry, by its path."""
    return {out["path"]: out["md5"] for out in entry.get("outs", []) if "md5" in out}


def write_entries(entries: Iterable[Entry]) -> None:
    write_text(LOCK, "".join(text for _, text in entries))
