"""What DVC's own commands cost with many tasks: ``python -m benchmarks.many_tasks [TASKS…]``.

One task (heart, with the preset `quick`) is run. Copies of it stand in for the others: files, lock
entries and outputs are its own under another name, so that all is up to date and nothing else runs.
"""

import os
import re
import shutil
import sys
import tempfile
from io import SEEK_END, StringIO
from pathlib import Path

from ruamel.yaml import YAML

from commands.workspace.lockfile import LOCK
from commands.workspace.merging import split_entries
from tests.support.clone import Clone, commit, make_clone

TASK = "heart"
TASK_FILE = f"conf/task/{TASK}.yaml"
PRESET = "conf/experiment/quick.yaml"
STAGE = f"train@{TASK}-linear"
OURS = (sys.executable, "-m", "commands", "repro")
MADE = (
    "data/prepared",
    "data/validated",
    "data/candidates",
    "data/evaluated",
    "data/raw",
    "models",
)


def main() -> None:
    counts = [int(word) for word in sys.argv[1:]] or [3, 23]
    with tempfile.TemporaryDirectory() as folder:
        base = run_one(Path(folder, "one"))
        for count in counts:
            clone = grow(base, Path(folder, f"{count}"), count)
            measure(clone, count)


def run_one(path: Path) -> Clone:
    """Return a clone that has run one task alone."""
    clone = make_clone(path)
    for other in (clone.path / "conf/task").glob("*.yaml"):
        if other.stem != TASK:
            other.unlink()
    write_preset(clone, [TASK])
    clone.replace("conf/config.yaml", "- experiment: null", "- experiment: quick")
    clone.compose()
    clone.repro()
    commit(clone, "one task")
    return clone


def write_preset(clone: Clone, names: list[str]) -> None:
    """Have the preset set for each of these tasks what it sets for the one that was run."""
    preset = YAML(typ="safe").load(clone.read(PRESET))
    preset["task"] = dict.fromkeys(names, preset["task"][TASK])
    text = StringIO("# @package _global_\n")
    text.seek(0, SEEK_END)
    YAML(typ="safe", pure=True).dump(preset, text)
    clone.write(PRESET, text.getvalue())


def grow(base: Clone, path: Path, count: int) -> Clone:
    """Return a copy of the clone with ``count`` tasks, all of them up to date."""
    shutil.copytree(base.path, path, symlinks=True)
    clone = Clone(path)
    names = [f"copy{number:03}" for number in range(1, count)]
    write_preset(clone, [TASK, *names])
    entries = split_entries(clone.read(LOCK.name))
    for name in names:
        clone.write(f"conf/task/{name}.yaml", clone.read(TASK_FILE))
        for folder in MADE:
            if (path / folder / TASK).exists():
                shutil.copytree(path / folder / TASK, path / folder / name)
    own = [text for name, text in entries if TASK in name]
    copies = [rename(text, name) for name in names for text in own]
    clone.compose()
    clone.write(LOCK.name, "".join([*(text for _, text in entries), *copies]))
    clone.run(*OURS, "compose")
    commit(clone, f"{count} tasks")
    return clone


def rename(text: str, name: str) -> str:
    """Return a lock entry of the task as one of a copy."""
    text = re.sub(rf"(stages\.\w+ ){TASK}\b", rf"\g<1>{name}", text)
    return re.sub(rf"(?<=[/.@-]){TASK}\b(?!\.csv)", name, text)


def measure(clone: Clone, count: int) -> None:
    """Print the CPU seconds of DVC's own commands, and beside them of ours."""
    lock = clone.read(LOCK.name)
    stages, lines = len(split_entries(lock)) - 1, lock.count("\n")
    print(f"{count} tasks, {stages} stages, {lines:,} lines in dvc.lock; CPU seconds:", flush=True)
    _, printed = time_cpu(clone, "dvc", "status")
    if "up to date" not in printed:
        sys.exit(f"the copies are not up to date:\n{printed}")
    time_cpu(clone, *OURS)  # which composes where something is new
    show("dvc status", time_cpu(clone, "dvc", "status")[0])
    for words in (("dvc", "repro"), OURS):
        name = " ".join(words[-3:])
        show(f"{name}, nothing to do", time_cpu(clone, *words)[0])
        show(f"{name} export@{TASK}, nothing to do", time_cpu(clone, *words, f"export@{TASK}")[0])
        show(f"{name} {STAGE}, beyond the stage's work", measure_stage(clone, *words, STAGE))


def show(what: str, seconds: float) -> None:
    print(f"  {seconds:6.2f}  {what}", flush=True)


def measure_stage(clone: Clone, *command: str) -> float:
    """Return what running a stage takes beyond finding out, and beyond the stage alone."""
    entries = split_entries(clone.read(LOCK.name))
    clone.write(LOCK.name, "".join(text for name, text in entries if name != STAGE))
    shutil.rmtree(clone.path / ".dvc/cache/runs")
    ran, printed = time_cpu(clone, *command)
    if "did not change" in printed.splitlines()[-2] or "up to date" in printed:
        sys.exit(f"{STAGE} did not run:\n{printed}")
    idle, _ = time_cpu(clone, *command)
    alone, _ = time_cpu(clone, sys.executable, "-m", "stages.train", TASK, "linear")
    return ran - idle - alone


def time_cpu(clone: Clone, *command: str) -> tuple[float, str]:
    """Return the CPU seconds of a command with its children, and what it printed."""
    before = os.times()
    printed = clone.run(*command).stdout
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4]), printed


if __name__ == "__main__":
    main()
