"""The remote that clones share their cache through, and what it lacks."""

import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dvc.config import RemoteConfigError

from commands.workspace.tracked import Tracked, is_intact
from stages.shared.errors import PipelineError

MOST_LISTED = 20
NAME_ONE = "`make remote URL=s3://bucket/path` (or a folder)"
INTERRUPTED = "interrupted. That is safe: run the same command again, and it goes on from there"


def connect(repo: Any) -> Any:
    """Return DVC's object database of the default remote.

    Raises PipelineError where none is configured, where it does not answer, or has no bucket.
    """
    from botocore.exceptions import BotoCoreError

    # DVC notes what there is to fetch and to send, and believes notes that a kill has cut off.
    repo.drop_data_index()
    try:
        remote = repo.cloud.get_remote_odb()
    except RemoteConfigError as error:
        raise PipelineError(f"no remote is configured: {NAME_ONE} names one") from error
    try:
        if not remote.fs.exists(remote.path):
            check_bucket(remote)
    except (BotoCoreError, OSError) as error:
        raise PipelineError(
            f"{_read_address(remote)} does not answer: {error}. It is named in .dvc/config.local; "
            "credentials and endpoint come from the environment (AWS_…)"
        ) from error
    return remote


def check_bucket(remote: Any) -> None:
    """Raise PipelineError where the remote's bucket does not exist; a folder DVC makes itself."""
    if remote.fs.protocol != "s3":
        return
    bucket = remote.path.split("/")[0]
    try:
        remote.fs.fs.call_s3("head_bucket", Bucket=bucket)
    except FileNotFoundError as error:
        raise PipelineError(
            f"{_read_address(remote)}: there is no bucket {bucket!r}. Create it, or name another "
            f"one with {NAME_ONE}"
        ) from error
    except PermissionError:  # who may write objects need not be allowed to look at the bucket
        return


@contextmanager
def say_safe_to_interrupt() -> Iterator[None]:
    """Tell a person who stops a transfer what to do next."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\n{INTERRUPTED}", file=sys.stderr, flush=True)
        raise


def run_dvc(*args: str) -> bool:
    """Run a command of DVC, which prints for itself; return whether it succeeded.

    Ctrl-C reaches this process alone, which then ends the other: DVC would end with a traceback.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a new process inherits it
    try:
        with subprocess.Popen(["dvc", *args]) as process:
            try:
                # What was pressed meanwhile waited, and is heard here.
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
                return process.wait() == 0
            except BaseException:
                process.terminate()
                raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def find_missing(remote: Any, objects: Iterable[Tracked]) -> list[Tracked]:
    """Return those of the objects that the remote does not have."""
    wanted = list(objects)
    there = set(remote.oids_exist({one.digest for one in wanted}))
    return [one for one in wanted if one.digest not in there]


def read_object(remote: Any, entry: Tracked) -> bytes:
    """Return what the remote has as this object; nothing where it has none."""
    try:
        return bytes(remote.fs.cat_file(remote.oid_to_path(entry.digest)))
    except FileNotFoundError:
        return b""


def is_whole(remote: Any, entry: Tracked) -> bool:
    """Tell whether the remote has the object, with the bytes that its hash was made of."""
    if not remote.exists(entry.digest):
        return False
    with remote.fs.open(remote.oid_to_path(entry.digest), "rb") as file:
        return is_intact(file, entry.digest)


def report_objects(remote: Any, absent: Iterable[Tracked], fault: str) -> list[str]:
    """Return a line for each object: the file it is, what is wrong, and where it would lie."""
    return [
        f"  {entry.path}: {fault} {remote.fs.unstrip_protocol(remote.oid_to_path(entry.digest))}"
        for entry in absent
    ]


def shorten_lines(lines: list[str]) -> str:
    """Return the lines as one text; of very many, the first."""
    more = [f"  … and {len(lines) - MOST_LISTED} more"] if len(lines) > MOST_LISTED else []
    return "\n".join([*lines[:MOST_LISTED], *more])


def _read_address(remote: Any) -> str:
    return str(remote.fs.unstrip_protocol(remote.path))
