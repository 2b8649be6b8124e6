"""Brings a task's raw table into ``data/raw/<task>``: ``python -m stages.fetch heart``.

A file of your own stays where it is. A URL is downloaded once, from the folder or URL in the
environment variable DATA_MIRROR where that is set: its SHA-256 decides what the file is, not where
it came from. Named members of a zip archive, each with a SHA-256, are joined into one table. A
query's answer is kept as Parquet; what a database holds is outside DVC's sight, so
``dvc repro -f fetch@heart`` asks it again.
"""

import os
from pathlib import Path
from typing import Annotated, Any

from stages.contract.source import Origin
from stages.fetching.archive import Gathering, gather
from stages.fetching.download import locate_mirrored, locate_official, obtain
from stages.fetching.sql import Question, materialise
from stages.runner.declare import At, Params, Stage
from stages.shared import storage
from stages.shared.errors import PipelineError

RECORD = "source.json"
JOINED_BY = {"members", "delimiter", "header", "names", "encoding", "quoting"}


class FetchParams(Params):
    origin: Annotated[Origin, At("task.{task}.origin")]


STAGE = Stage(
    verb="fetch",
    desc="Download {task}'s table or ask a database for it; a local file stays where it is",
    params=FetchParams,
    outs=("data/raw/{task}",),
    persistent=True,  # a failed fetch leaves the previous file as it was
)


def main(task: str) -> None:
    """Fetch what the contract names, record it, then remove what came from elsewhere before."""
    origin = STAGE.load(task=task).origin
    folder = Path("data/raw", task)
    check_path(origin, folder, _contract(task))
    record = fetch(origin, task)
    storage.write_json(folder / RECORD, record)
    remove_others(folder, {folder / RECORD, Path(origin.path)})


def check_path(origin: Origin, folder: Path, contract: str) -> None:
    """Raise PipelineError unless ``folder`` holds what is fetched, and nothing of the user's."""
    path, home = _absolute(origin.path), _absolute(folder)
    inside = home in path.parents
    wrong = (not inside or path == home / RECORD) if origin.is_fetched else inside
    if wrong:
        rule = "lie in" if origin.is_fetched else "not lie in"
        raise PipelineError(
            f"sources.….path = {origin.path!r} in {contract} must {rule} {folder}/, the folder "
            f"that `fetch` fills and clears (and {RECORD} there is its own)"
        )


def fetch(origin: Origin, task: str) -> dict[str, Any]:
    """Put the table at ``origin.path`` if it is not a local file; return what to record of it."""
    if origin.url and origin.sha256:
        return from_url(origin.url, origin.sha256, Path(origin.path), task)
    if origin.members:
        return from_archive(origin, task)
    if origin.database and origin.query:
        question = Question(origin.database, origin.query, _contract(task))
        return from_database(question, Path(origin.path))
    return {"kind": "file", "path": origin.path}


def from_url(url: str, sha256: str, path: Path, task: str) -> dict[str, Any]:
    place = locate_official(url, _contract(task))
    mirror = os.environ.get("DATA_MIRROR")
    obtain(
        locate_mirrored(mirror, task, path.name) if mirror else place, sha256, path, _contract(task)
    )
    return {"kind": "url", "url": url, "sha256": sha256, "bytes": path.stat().st_size}


def from_archive(origin: Origin, task: str) -> dict[str, Any]:
    """Join the members, unless the record says that the table there was made of the same."""
    path, record = Path(origin.path), Path("data/raw", task, RECORD)
    how = origin.model_dump(mode="json", include=JOINED_BY)
    asked = {"kind": "archive", "url": origin.url, **how}
    made = storage.read_json(record) if record.is_file() else {}
    if not path.is_file() or made != {**asked, "sha256": storage.sha256(path)}:
        gather(Gathering(origin, task, _contract(task), os.environ.get("DATA_MIRROR")))
    return {**asked, "sha256": storage.sha256(path)}


def from_database(question: Question, path: Path) -> dict[str, Any]:
    rows, columns = materialise(question, path, os.environ)
    return {
        "kind": "sql",
        "database": question.database,  # as the contract has it: names of secrets, not secrets
        "query": question.query,
        "rows": rows,
        "columns": columns,
        "sha256": storage.sha256(path),
    }


def remove_others(folder: Path, kept: set[Path]) -> None:
    """Remove every file and empty folder in ``folder`` but ``kept``, so that no old one counts."""
    spared = {_absolute(path) for path in kept}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif _absolute(path) not in spared:
            path.unlink()


def _absolute(path: str | Path) -> Path:
    """Return the path without dots, but with its links: DVC may link files to its cache."""
    return Path(os.path.normpath(Path.cwd() / path))


def _contract(task: str) -> str:
    return f"conf/task/{task}.yaml"


if __name__ == "__main__":
    STAGE.run(main)
