"""The states of the repository that hold results: commits, their experiments, the workspace."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from commands.workspace.git import read_at_commit, run_git

# Where DVC keeps an experiment: its base's hash in two parts, then its name.
EXPERIMENT = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)")
FIELDS = "%(refname)%09%(objectname)%09%(committerdate:format:%Y-%m-%d %H:%M)"


@dataclass(frozen=True)
class State:
    """A commit, an experiment on top of the commit ``base``, or the workspace (without commit)."""

    experiment: str
    commit: str
    base: str
    when: str

    def read(self, path: Path | str) -> str:
        """Return a file's text in this state, or "" where it has none."""
        if not self.commit:
            return Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""
        return read_at_commit(self.commit, path) or ""


def list_states(commits: int) -> list[State]:
    """Return the last ``commits`` of this branch, newest first, each followed by its experiments.

    The workspace comes last. Raises PipelineError where git finds no commit.
    """
    listed = run_git("log", "--first-parent", f"-n{commits}", "--format=%H%x09%cd",
                 "--date=format:%Y-%m-%d %H:%M", "HEAD")  # fmt: skip
    found, kept = list[State](), list(list_experiments())
    for line in listed.splitlines():
        commit, when = line.split("\t")
        found.append(State("", commit, commit, when))
        found += [state for state in kept if state.base == commit]
    return [*found, State("workspace", "", found[0].commit, "")]


def list_experiments() -> Iterator[State]:
    """Yield what DVC keeps of every experiment, the oldest first."""
    listed = run_git("for-each-ref", "--sort=committerdate", f"--format={FIELDS}", "refs/exps")
    for line in listed.splitlines():
        name, commit, when = line.split("\t")
        if match := EXPERIMENT.fullmatch(name):
            yield State(match[3], commit, match[1] + match[2], when)
