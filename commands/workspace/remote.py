"""The remote that clones share their cache through, and what it lacks."""

import subprocess
from collections.abc import Iterable
from typing import Any

from dvc.config import RemoteConfigError

from commands.workspace.tracked import Tracked, is_intact
from stages.shared.errors import PipelineError

MOST_LISTED = 20


def connect(repo: Any) -> Any:
    """Return DVC's object database of the default remote.

    Raises PipelineError where none is configured, or where it does not answer.
    """
    from botocore.exceptions import BotoCoreError

    # DVC notes what there is to fetch and to send, and believes notes that a kill has cut off.
    repo.drop_data_index()
    try:
        remote = repo.cloud.get_remote_odb()
    except RemoteConfigError as error:
        remedy = "`make remote URL=s3://bucket/path` (or a folder) names one"
        raise PipelineError(f"no remote is configured: {remedy}") from error
    try:
        remote.fs.exists(remote.path)
    except (BotoCoreError, OSError) as error:
        raise PipelineError(
            f"{_shown(remote)} does not answer: {error}. It is named in .dvc/config.local; "
            "credentials and endpoint come from the environment (AWS_…)"
        ) from error
    return remote


def dvc(*words: str) -> bool:
    """Run a command of DVC, which prints for itself; tell whether it succeeded."""
    return not subprocess.run(["dvc", *words], check=False).returncode


def missing(remote: Any, objects: Iterable[Tracked]) -> list[Tracked]:
    """Return those of the objects that the remote does not have."""
    wanted = list(objects)
    there = set(remote.oids_exist({it.digest for it in wanted}))
    return [it for it in wanted if it.digest not in there]


def content(remote: Any, it: Tracked) -> bytes:
    """Return what the remote has as this object; nothing where it has none."""
    try:
        return bytes(remote.fs.cat_file(remote.oid_to_path(it.digest)))
    except FileNotFoundError:
        return b""


def is_whole(remote: Any, it: Tracked) -> bool:
    """Tell whether the remote has the object, with the bytes that its hash was made of."""
    if not remote.exists(it.digest):
        return False
    with remote.fs.open(remote.oid_to_path(it.digest), "rb") as file:
        return is_intact(file, it.digest)


def described(remote: Any, absent: Iterable[Tracked], fault: str) -> list[str]:
    """Return a line for each object: the file it is, what is wrong, and where it would lie."""
    return [
        f"  {it.path}: {fault} {remote.fs.unstrip_protocol(remote.oid_to_path(it.digest))}"
        for it in absent
    ]


def shortened(lines: list[str]) -> str:
    """Return the lines as one text; of very many, the first."""
    more = [f"  … and {len(lines) - MOST_LISTED} more"] if len(lines) > MOST_LISTED else []
    return "\n".join([*lines[:MOST_LISTED], *more])


def _shown(remote: Any) -> str:
    return str(remote.fs.unstrip_protocol(remote.path))
