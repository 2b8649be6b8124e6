"""What git knows: which commit a report compares with, and files as that commit has them."""

from dataclasses import dataclass
from pathlib import Path

from commands.workspace.git import ask_git, read_at_commit
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
        return read_at_commit(self.sha, path)


def find_base(name: str) -> Commit:
    """Return the commit at which HEAD left ``name``, so that nobody else's later work counts.

    Without a common commit (a shallow clone) it is the tip of ``name``. Raises PipelineError where
    neither ``name`` nor the remote's branch of that name is a commit.
    """
    for ref in (name, f"origin/{name}"):
        tip = ask_git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        if tip:
            return Commit(name, ask_git("merge-base", tip, "HEAD") or tip)
    raise PipelineError(
        f"BASE={name} is no commit that is known here: `git fetch origin {name}`, "
        "or name another one: `make report BASE=…`"
    )


def read_head() -> Commit:
    """Return the commit that is checked out."""
    sha = ask_git("rev-parse", "HEAD")
    if not sha:
        raise PipelineError("there is no commit yet: commit first, then compare with it")
    return Commit("HEAD", sha)


def list_uncommitted() -> list[str]:
    """Return the files that git tracks and that differ from HEAD."""
    return ask_git("diff", "--name-only", "HEAD").splitlines()
