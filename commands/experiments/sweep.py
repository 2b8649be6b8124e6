"""Queues and runs a search that a file describes: ``python -m commands sweep depth --jobs 2``.

The experiments are DVC's own, so `dvc exp show`, `dvc exp apply` and `dvc queue` know them.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

from pydantic import Field
from ruamel.yaml import YAML

from commands.experiments.leaderboard import format_leaderboard
from stages.shared.errors import PipelineError
from stages.shared.frozen import Frozen

FOLDER = Path("conf/search")
RUN = ["dvc", "exp", "run"]
# Of DVC's output, what tells how far it is and what went wrong.
TOLD = ("Queued", "Reproducing", "Running stage", "ERROR", "Failed", "failed")
FAILED = ("ERROR", "Failed", "failed")


Value = bool | int | float | str | None


class Search(Frozen):
    """Every combination of ``values`` is one experiment, on top of what is ``fixed``."""

    values: dict[str, Annotated[list[Value], Field(min_length=1)]] = Field(min_length=1)
    fixed: dict[str, Value] = Field(default={})
    tasks: list[str] = Field(default=[])  # whose candidates are compared; none: all
    jobs: int = Field(default=2, ge=1)

    def overrides(self) -> list[str]:
        """Return them in Hydra's grammar, where a comma makes a sweep."""
        fixed = [f"{key}={_spell_word(value)}" for key, value in self.fixed.items()]
        swept = [
            f"{key}={','.join(map(_spell_word, choices))}" for key, choices in self.values.items()
        ]
        return [*fixed, *swept]

    def queueing(self) -> list[str]:
        """Return the command that queues the experiments."""
        sets = [word for override in self.overrides() for word in ("-S", override)]
        targets = [f"evaluate-{task}" for task in self.tasks]
        return [*RUN, "--queue", *sets, *targets]


def run_sweep(name: str, jobs: int | None) -> None:
    """Run the search and print the leaderboard; exit code 1 where an experiment failed."""
    search = read_search(name)
    running = [*RUN, "--run-all", "--jobs", str(jobs or search.jobs)]
    if not (run_command(search.queueing()) and run_command(running)):
        sys.exit("\nsome experiments failed: `dvc queue status`, then `dvc queue logs NAME`")
    print(f"\n{format_leaderboard(search.tasks, commits=1, most=20)}")


def read_search(name: str) -> Search:
    """Read ``conf/search/<name>.yaml``; raises PipelineError where it is absent or wrong."""
    path = FOLDER / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(path.stem for path in FOLDER.glob("*.yaml"))) or "none"
        raise PipelineError(f"there is no {path}; there are: {known}")
    return Search.parse(YAML(typ="safe").load(path.read_text(encoding="utf-8")), str(path))


def run_command(command: list[str]) -> bool:
    """Run a DVC command, show its progress, and return whether nothing failed."""
    good = True
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            if line.startswith(TOLD):
                print(line, end="", flush=True)
                good = good and not line.startswith(FAILED)
    return good and process.returncode == 0


def _spell_word(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)
