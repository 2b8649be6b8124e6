"""A temporary clone of this repository as it stands on disk, in which tests run DVC itself."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNNING = re.compile(r"^Running stage '([^']+)':", re.M)


@dataclass(frozen=True)
class Clone:
    """A repository of its own, with one commit, that uses this process's environment."""

    path: Path

    def run(
        self, *command: str, check: bool = True, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.path, env=environment(**extra), capture_output=True, text=True
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
        return done

    def repro(self, *targets: str, **extra: str) -> set[str]:
        """Run ``dvc repro`` and return the names of the stages that were executed."""
        return set(RUNNING.findall(self.run("dvc", "repro", *targets, check=True, **extra).stdout))

    def compose(self) -> None:
        self.run(sys.executable, "-m", "commands", "compose")

    def read(self, path: str) -> str:
        return (self.path / path).read_text(encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_text(text, encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a piece of a file that must be there."""
        text = self.read(path)
        assert old in text, f"{path} no longer holds {old!r}: bring this test up to date"
        self.write(path, text.replace(old, new, 1))

    def restore(self) -> None:
        """Take back every change to files in git, and remove files that git does not know."""
        self.run("git", "checkout", "-q", ".")
        self.run("git", "clean", "-fdq")


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment with its own interpreter first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **extra}


def make_clone(path: Path) -> Clone:
    """Copy every file that git tracks or would track, and commit it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
    clone = Clone(path)
    clone.run("git", "init", "-q")
    clone.run("git", "config", "user.name", "test")
    clone.run("git", "config", "user.email", "test@localhost")
    commit(clone, "as it stands")
    return clone


def commit(clone: Clone, message: str) -> None:
    clone.run("git", "add", "-A")
    clone.run("git", "commit", "-qm", message, "--no-verify", "--allow-empty")
