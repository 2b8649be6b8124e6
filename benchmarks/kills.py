"""Kills commands at random moments and runs them again: ``python -m benchmarks.kills 100``.

A small clone of this repository goes through its life: made, shared, registered, promoted, edited,
rolled back. Before each command its state is kept, and after it all that the command has left.
Then, a hundred times, a command starts from its state as a group of processes, is killed with
SIGKILL at a random moment and runs again: it has to succeed, and to leave what it leaves when
nobody disturbs it. Exits with 1 where it does not. Linux only: it adopts what a kill leaves behind,
as an init does.
"""

import argparse
import ctypes
import hashlib
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.audit import Audit, audit
from benchmarks.processes import cpu_seconds
from serve.runtime.load import load_model
from serve.runtime.manifest import MANIFEST
from serve.runtime.manifest_file import ManifestError
from tests.support.clone import Clone, commit, environment, make_clone
from tests.support.stores import Folder, objects

TASK = "heart"
PR_SET_CHILD_SUBREAPER = 36
SECONDS_TO_END = 0.2  # for what a command that has ended leaves behind
MODELS = "models: { linear: { C: 0.1 }, forest: { n_estimators: 20 } }\n"
SMALLER = {
    "resamples: 1000 # bootstrap samples behind": "resamples: 100 # bootstrap samples behind",
    "permutations: 5": "permutations: 1",
    "accept: [first, better]": "accept: [first, better, not worse, inconclusive, worse]",
}
REPRO = ("make", "-o", ".venv/.ready", "repro")
COMMIT = "python -m commands repair && dvc commit --force"
WHO = ("--by", "ada", "--why", "to see")


@dataclass(frozen=True)
class Scene:
    """A command, and what makes the state that it starts from out of the scene's before.

    Once it has said ``told`` it is done: killed after that, it need not run again.
    """

    name: str
    words: tuple[str, ...]
    prepare: Callable[[Clone], object] = lambda _: None
    told: str = "\0"
    turns: int = 3  # of all that are taken in a cycle


@dataclass(frozen=True)
class Undisturbed:
    """The CPU seconds that a command takes, and what the clone holds after it."""

    seconds: float
    left: dict[str, Any]


@dataclass(frozen=True)
class Round:
    """After how much CPU time a command was killed, how much it then took, what was wrong."""

    killed: float
    again: float
    problems: list[str]

    def __str__(self) -> str:
        told = "".join(f"\n{it.strip()[:1_000]}" for it in self.problems) or "recovered"
        return f"killed after {self.killed:.2f} s, then run in {self.again:.1f} s: {told}"


@dataclass(frozen=True)
class World:
    """A clone, its remote and DVC's notes about both, kept in several states."""

    root: Path

    @property
    def now(self) -> Path:
        return self.root / "now"

    @property
    def clone(self) -> Clone:
        return Clone(self.now / "clone")

    def keep(self, name: str) -> None:
        shutil.copytree(self.now, self.root / name, symlinks=True)

    def back_to(self, name: str) -> None:
        shutil.rmtree(self.now)
        shutil.copytree(self.root / name, self.now, symlinks=True)

    def run(self, *words: str) -> "tuple[subprocess.CompletedProcess[str], float]":
        """Run a command in the clone; return what came of it, and its CPU seconds."""
        before = os.times()
        done = self.clone.run(*words, check=False)
        time.sleep(SECONDS_TO_END)
        bury()  # what was adopted counts, too
        after = os.times()
        return done, sum(after[2:4]) - sum(before[2:4])


def stage(name: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"stages.{name}", *words)


def story() -> list[Scene]:
    """Return the life of a clone: each scene begins where the one before has ended."""
    return [
        Scene("make repro, cold", REPRO, forget, turns=1),  # by far the longest
        Scene("make repro JOBS=2, cold", (*REPRO, "JOBS=2"), forget, turns=1),
        Scene("make push", stage("push"), share),
        Scene("make pull", stage("restore"), empty),
        Scene("first register", stage("register", TASK)),
        Scene("first promote", stage("promote", TASK, *WHO)),
        Scene("make repro, edited", REPRO, lambda clone: edit(clone, "C: 0.1", "C: 0.3")),
        Scene("mend and dvc commit", ("sh", "-c", COMMIT), run_without_commit),
        Scene("register", stage("register", TASK), lambda clone: commit(clone, "second")),
        Scene("promote", stage("promote", TASK, *WHO)),
        Scene("rollback", stage("rollback", TASK, *WHO), to_first, f"champion of {TASK} again"),
        Scene("pull", stage("pull", f"{TASK}@champion"), pull_second),
    ]


def shrink(clone: Clone) -> None:
    """Leave one task with two small models, and a gate that lets any of them pass."""
    for path in [*clone.path.glob("conf/task/*"), *clone.path.glob("conf/model/*")]:
        if path.stem not in (TASK, "linear", "forest"):
            path.unlink()
    task = f"conf/task/{TASK}.yaml"
    clone.write(task, clone.read(task).partition("models:")[0] + MODELS)
    clone.replace(task, "cv: { repeats: 3 }", "cv: { folds: 3 }")
    for old, new in SMALLER.items():
        clone.replace("conf/config.yaml", old, new)
    clone.compose()
    (clone.path / "dvc.lock").unlink()
    shutil.rmtree(clone.path / "data/registry", ignore_errors=True)
    commit(clone, "small")


def forget(clone: Clone) -> None:
    """Remove all that was ever made."""
    (clone.path / "dvc.lock").unlink(missing_ok=True)
    clone.run("git", "clean", "-fdqX")


def share(clone: Clone) -> None:
    commit(clone, "first")
    clone.run("git", "tag", "first")
    clone.run("make", "-o", ".venv/.ready", "remote", f"URL={clone.path.parent / 'remote'}")


def empty(clone: Clone) -> None:
    clone.run("git", "clean", "-fdqX", "--exclude=!/.dvc/config.local")


def edit(clone: Clone, old: str, new: str) -> None:
    clone.replace(f"conf/task/{TASK}.yaml", old, new)
    clone.compose()


def run_without_commit(clone: Clone) -> None:
    edit(clone, "C: 0.3", "C: 0.7")
    clone.run("dvc", "repro", "--no-commit")


def to_first(clone: Clone) -> None:
    """Check out what the first version was made of, and serve the second one."""
    clone.run("git", "checkout", "-q", "first", "--", "conf", "params.yaml", "dvc.lock")
    clone.run("dvc", "checkout", "--force")
    pull_second(clone)


def pull_second(clone: Clone) -> None:
    clone.run(*stage("pull", f"{TASK}@2"))


def live(world: World, scenes: list[Scene]) -> Iterator[Undisturbed]:
    """Yield what each command does when nobody disturbs it; keep the state before it."""
    for scene in scenes:
        scene.prepare(world.clone)
        world.keep(scene.name)
        done, seconds = world.run(*scene.words)
        left, problems = audited(world)
        if done.returncode or problems:
            sys.exit(f"{scene.name} fails undisturbed: {done.stdout}{done.stderr}{problems}")
        print(f"{scene.name}: {seconds:.1f} s CPU undisturbed", flush=True)
        yield Undisturbed(seconds, left)


def audited(world: World) -> Audit:
    """Return what clone and remote hold, and what is wrong with it."""
    left, problems = audit(world.clone.path, TASK)
    remote = Folder(world.now / "remote")
    names = sorted(objects(remote))
    damaged = [f"{name} in the remote is damaged" for name in names if is_damaged(remote, name)]
    return {**left, "remote": names}, [*problems, *damaged]


def is_damaged(remote: Folder, name: str) -> bool:
    """Tell whether an object is not what its name, files/md5/ab/cdef…, says."""
    digest = hashlib.md5((remote.path / name).read_bytes(), usedforsecurity=False).hexdigest()
    return "".join(name.removesuffix(".dir").split("/")[-2:]) != digest


def killed(world: World, scene: Scene, moment: float) -> bool:
    """Kill the command after so many CPU seconds; tell whether that came before its end.

    CPU time, not the clock's: a busy machine shall not move the moments.
    """
    log = world.root / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            scene.words,
            cwd=world.clone.path,
            env=environment(),
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    while cpu_seconds(process.pid) < moment:
        if process.poll() is not None:
            return False
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)  # its own session: only the command's processes
    process.wait()
    while is_there(process.pid):
        bury()
        time.sleep(0.005)
    return scene.told not in log.read_text(errors="replace")


def is_there(group: int) -> bool:
    """Tell whether a group has a process left, dead ones that nobody waited for included."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def bury() -> None:
    """Collect the adopted processes that have ended, as an init does."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def served(world: World, before: str) -> list[str]:
    """Return why the model cannot be served right after the kill, if it could before."""
    if (world.root / before / "clone/models" / TASK / MANIFEST).exists():
        try:
            load_model(world.clone.path / "models" / TASK)
        except (ManifestError, OSError) as error:
            return [f"after the kill no model can be served: {error}"]
    return []


def disturbed(world: World, scene: Scene, alone: Undisturbed, rng: random.Random) -> Round:
    """Kill the command, run it again, and hold what it has left against what it leaves alone."""
    moment = kill_somewhere(world, scene, alone.seconds, rng)
    problems = served(world, scene.name)
    done, seconds = world.run(*scene.words)
    if done.returncode:
        problems.append(f"run again it fails: {done.stdout}{done.stderr}")
    left, wrong = audited(world)
    differing = [f"{key} differs" for key, it in left.items() if it != alone.left[key]]
    return Round(moment, seconds, [*problems, *wrong, *differing])


def kill_somewhere(world: World, scene: Scene, seconds: float, rng: random.Random) -> float:
    """Kill the command once before its end, at a moment that is returned."""
    while True:
        world.back_to(scene.name)
        moment = rng.uniform(0, seconds)
        if killed(world, scene, moment):
            return moment


def table(rounds: dict[str, list[Round]], alone: dict[str, Undisturbed]) -> Iterator[str]:
    yield "| command | CPU s undisturbed | kills | after CPU s | then CPU s, median | failed |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name, them in rounds.items():
        moments, again = [it.killed for it in them], [it.again for it in them]
        yield (
            f"| {name} | {alone[name].seconds:.1f} | {len(them)} | {min(moments):.1f} to "
            f"{max(moments):.1f} | {statistics.median(again):.1f} | {failures(them)} |"
        )


def failures(rounds: Iterable[Round]) -> int:
    return sum(bool(it.problems) for it in rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a regular expression for the commands to kill")
    given = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        world = World(Path(folder))
        os.environ["DVC_SITE_CACHE_DIR"] = str(world.now / "site")
        recovered = torment(world, given.rounds, given.only, random.Random(given.seed))
    sys.exit(0 if recovered else 1)


def torment(world: World, count: int, only: str, rng: random.Random) -> bool:
    """Go through all commands in turn, with so many kills; tell whether all recovered."""
    scenes = story()
    shrink(make_clone(world.clone.path))
    alone = dict(zip([it.name for it in scenes], live(world, scenes), strict=True))
    cycle = [it for it in scenes if re.search(only, it.name) for _ in range(it.turns)]
    rng.shuffle(cycle)
    rounds: dict[str, list[Round]] = {}
    for number in range(count):
        scene = cycle[number % len(cycle)]
        found = disturbed(world, scene, alone[scene.name], rng)
        rounds.setdefault(scene.name, []).append(found)
        print(f"{number + 1:3}/{count} {scene.name}: {found}", flush=True)
    print("\n".join(table(rounds, alone)))
    return not any(map(failures, rounds.values()))


if __name__ == "__main__":
    main()
