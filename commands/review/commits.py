"""What git knows: which commit a report compares with, and files as that commit has them."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from stages.shared.errors import PipelineError

SHORT = 9  # characters of a commit's hash that are shown


@dataclass(frozen=True)
class Commit:
    """A commit and the name that a person gave it."""

    name: str
    sha: str

    @property
    def short(self) -> str:
        return self.sha[:SHORT]

    def read(self, path: Path) -> str | None:
        """Return a file's text in this commit; None where it has no such file."""
        return _git("show", f"{self.sha}:{path.as_posix()}")


def find_base(name: str) -> Commit:
    """Return the commit at which HEAD left ``name``, so that nobody else's later work counts.

    Without a common commit (a shallow clone) it is the tip of ``name``. Raises PipelineError where
    neither ``name`` nor the remote's branch of that name is a commit.
    """
    for ref in (name, f"origin/{name}"):
        tip = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        if tip:
            left = _git("merge-base", tip.strip(), "HEAD") or tip
            return Commit(name, left.strip())
    raise PipelineError(
        f"BASE={name} is no commit that is known here: `git fetch origin {name}`, "
        "or name another one: `make report BASE=…`"
    )


def head() -> Commit:
    """Return the commit that is checked out."""
    sha = _git("rev-parse", "HEAD")
    if sha is None:
        raise PipelineError("there is no commit yet: commit first, then compare with it")
    return Commit("HEAD", sha.strip())


def uncommitted() -> list[str]:
    """Return the files that git tracks and that differ from HEAD."""
    return (_git("diff", "--name-only", "HEAD") or "").split("\n")[:-1]


def _git(*words: str) -> str | None:
    """Return what git prints; None where it fails, as it does for what is not there."""
    done = subprocess.run(["git", *words], capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
