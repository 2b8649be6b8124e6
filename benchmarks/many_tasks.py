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
    clone.run("dvc", "repro", "compose")
    commit(clone, f"{count} tasks")
    return clone


def rename(text: str, name: str) -> str:
    """Return a lock entry of the task as one of a copy."""
    text = re.sub(rf"(stages\.\w+ ){TASK}\b", rf"\g<1>{name}", text)
    return re.sub(rf"(?<=[/.@-]){TASK}\b(?!\.csv)", name, text)


def measure(clone: Clone, count: int) -> None:
    stages = len(split_entries(clone.read(LOCK.name))) - 1
    status, printed = time_cpu(clone, "dvc", "status")
    if "up to date" not in printed:
        sys.exit(f"the copies are not up to date:\n{printed}")
    every, _ = time_cpu(clone, "dvc", "repro")
    one, _ = time_cpu(clone, "dvc", "repro", f"export@{TASK}")
    lines = clone.read(LOCK.name).count("\n")
    print(f"{count} tasks, {stages} stages, {lines:,} lines in dvc.lock; CPU seconds:", flush=True)
    print(f"  status {status:.1f} · no-op repro {every:.1f} · of one task {one:.1f}", flush=True)


def time_cpu(clone: Clone, *command: str) -> tuple[float, str]:
    """Return the CPU seconds of a command with its children, and what it printed."""
    before = os.times()
    printed = clone.run(*command).stdout
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4]), printed


if __name__ == "__main__":
    main()
