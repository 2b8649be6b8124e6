"""A small pipeline, made at random, for tests and benchmarks of what runs one."""

import random
import shutil
import sys
from pathlib import Path

from tests.support.clone import ROOT, Clone

CONFIG = "[core]\n    analytics = false\n    no_scm = true\n"


def make_pipeline(path: Path, seed: int, stages: int = 10) -> Clone:
    """Write a repository in which each stage concatenates the outputs of earlier ones.

    The names are shuffled, so that neither the alphabet nor the file gives a valid order.
    """
    rng = random.Random(seed)
    names = [f"s{i}" for i in range(stages)]
    rng.shuffle(names)
    needs = {
        name: sorted(rng.sample(names[:i], min(i, rng.randint(0, 2))))
        for i, name in enumerate(names)
    }
    blocks = [stage(name, " ".join(f"{it}.txt" for it in needs[name])) for name in sorted(names)]
    (path / ".dvc").mkdir(parents=True)
    clone = Clone(path)
    clone.write(".dvc/config", CONFIG)
    clone.write("source.txt", f"{seed}\n")
    clone.write("dvc.yaml", "stages:\n" + "".join(blocks))
    return clone


def stage(name: str, needs: str, command: str = "") -> str:
    deps = "".join(f"      - {it}\n" for it in ["source.txt", *needs.split()])
    command = command or f"cat source.txt {needs} > {name}.txt; echo {name} >> {name}.txt"
    return f"  {name}:\n    cmd: {command}\n    deps:\n{deps}    outs:\n      - {name}.txt\n"


def repro(clone: Clone, *words: str, check: bool = True) -> str:
    """Run the scheduler in the pipeline's folder and return what it printed."""
    done = clone.run(
        sys.executable, "-m", "commands", "repro", *words, check=check, PYTHONPATH=str(ROOT)
    )
    return done.stdout


def forget(clone: Clone) -> None:
    """Remove every result, so that all stages run again."""
    (clone.path / "dvc.lock").unlink(missing_ok=True)
    shutil.rmtree(clone.path / ".dvc/cache", ignore_errors=True)
    for output in clone.path.glob("s[0-9]*.txt"):
        output.unlink()


def locks(clone: Clone, jobs: int) -> tuple[str, str]:
    """Return ``dvc.lock`` as the scheduler writes it, and as ``dvc repro`` does."""
    repro(clone, "--jobs", str(jobs))
    side_by_side = clone.read("dvc.lock")
    forget(clone)
    clone.run("dvc", "repro")
    return side_by_side, clone.read("dvc.lock")
