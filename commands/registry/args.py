"""What the commands of the registry are asked on their command line."""

import argparse
from dataclasses import dataclass

from stages.shared.errors import PipelineError


@dataclass(frozen=True)
class Asked:
    """A move of a task's champion: who wants it, and why."""

    task: str
    by: str
    why: str


def parser(command: str, about: str | None) -> argparse.ArgumentParser:
    """Return a parser that says in a line what the command is for."""
    line = (about or "").splitlines()[0].partition(":")[0]
    return argparse.ArgumentParser(f"python -m stages.{command}", description=line)


def move_asked(command: str, about: str | None) -> Asked:
    """Return what the command line asks; raises PipelineError for a reason left blank."""
    words = parser(command, about)
    words.add_argument("task")
    words.add_argument("--by", required=True, help="who decides, for the log")
    words.add_argument("--why", required=True, help="the reason, for the log")
    found = words.parse_args()
    for name in ("by", "why"):
        if not getattr(found, name).strip():
            raise PipelineError(f"--{name} is blank: the log of moves keeps it")
    return Asked(found.task, found.by.strip(), found.why.strip())


def model_asked(words: argparse.ArgumentParser) -> tuple[argparse.Namespace, str, str]:
    """Return all that is asked, and the task and version or alias of ``heart@champion``."""
    words.add_argument("model", help="TASK@VERSION or TASK@ALIAS, for example heart@champion")
    found = words.parse_args()
    task, _, version = found.model.partition("@")
    if not task or not version:
        raise PipelineError(f"{found.model!r} names no model: say TASK@VERSION or TASK@ALIAS")
    return found, task, version
