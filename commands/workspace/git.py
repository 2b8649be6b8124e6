"""Asks git: the one place that runs it.

Nothing but the standard library: workflows run a command of this without an environment.
"""

import subprocess
from pathlib import Path

from stages.shared.errors import PipelineError


def run_git(*args: str, folder: Path = Path()) -> str:
    """Return what git says; raises PipelineError with its own message where it fails."""
    return _decode_output(_run_git(*args, folder=folder)).strip()


def ask_git(*args: str) -> str:
    """Return what git says; "" where it says no, as it does of what is not there."""
    return (_try_git(*args) or "").strip()


def read_at_commit(commit: str, path: Path | str) -> str | None:
    """Return a file's text as a commit has it; None where the commit has no such file."""
    return _try_git("show", f"{commit}:./{Path(path).as_posix()}")


def read_archive(commit: str, folder: Path) -> bytes:
    """Return a folder of a commit as a tar; raises PipelineError where the commit has none."""
    return _run_git("archive", "--format=tar", commit, folder.as_posix())


def _run_git(*args: str, folder: Path = Path()) -> bytes:
    done = subprocess.run(["git", *args], cwd=folder, capture_output=True, check=False)
    if done.returncode:
        raise PipelineError(f"`git {' '.join(args)}` failed: {_decode_output(done.stderr).strip()}")
    return done.stdout


def _try_git(*args: str) -> str | None:
    try:
        return _decode_output(_run_git(*args))
    except PipelineError:
        return None


def _decode_output(output: bytes) -> str:
    return output.decode("utf-8", "replace")
