"""The simulated reviews of ``text_world``, prepared, with a tiny encoder to fine-tune on them."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import stages
from stages import fine_tune, prepare
from stages.fine_tuning.trainer import Trainer
from stages.runner import declare
from stages.shared.encoder import Encoder
from tests.support.text_fixtures import BAD, FILLER, GOOD, params_of, reviews
from tests.support.tiny_encoder import make_encoder

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = Path("data/candidates/demo/tiny")
CHECKPOINTS = Path("data/checkpoints/demo/tiny")
SAVE_STEPS = 3
QUICK = {
    "weights": "path:encoder",
    "max_length": 32,
    "windows": 1,
    "epochs": 2,
    "learning_rate": 5e-3,
    "freeze_embeddings": False,  # random ones have yet to be learnt
    "batch_tokens": 128,
    "patience": None,
    "precision": "fp32",
    "threads": 1,
    "save_steps": SAVE_STEPS,
}
# A server that has imported everything once: each of its children starts in a moment, with no
# threads of this process's torch.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.support.fine_tuning_preload"])


def settings(**changes: Any) -> dict[str, Any]:
    """Return the shipped defaults, shrunk, with ``changes``."""
    with (ROOT / "conf/fine_tuning.yaml").open(encoding="utf-8") as file:
        return {**YAML(typ="safe").load(file), **QUICK, **changes}


def encoder(**changes: Any) -> Encoder:
    return Encoder.parse(settings(**changes), "test")


def build_fixture(root: Path, rows: int = 160) -> None:
    """Leave a prepared task ``demo`` and an encoder ``tiny`` in ``root``, the working directory."""
    (root / "stages").symlink_to(Path(next(iter(stages.__path__))).absolute())
    make_encoder(root / "encoder", [*GOOD, *BAD, *FILLER])
    reviews(rows).to_csv(root / "reviews.csv", index=False)
    configure(root)
    prepare.main("demo")


def train_unbroken(root: Path, rows: int, **changes: Any) -> Path:
    """Leave in ``root`` what the stage makes where nothing disturbs it."""
    with chdir(root):
        build_fixture(root, rows)
    configure(root, **changes)
    assert run(root) == 0
    return root


def copy_untrained(unbroken: Path, root: Path) -> Path:
    """Copy to ``root`` what `train_unbroken` left, less what the stage made of it."""
    shutil.copytree(unbroken, root, symlinks=True)
    shutil.rmtree(root / "data/candidates")
    return root


def configure(root: Path, **changes: Any) -> None:
    """Write ``params.yaml`` with ``changes`` to the encoder's settings."""
    content = params_of(("linear",))
    content["task"]["demo"] |= {"encoders": {"tiny": {}}, "cv": {"folds": 2, "seed": 1}}
    content["encoder"] = {"tiny": settings(**changes)}
    content["libraries"] = {}
    with (root / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(content, file)
    declare.read_params.cache_clear()


def run(root: Path, steps: int | None = None, writes: int | None = None) -> int:
    """Run the stage in a process of its own and return how it ended: -9 where it was killed.

    It is killed before training step ``steps``, or in the middle of its file number ``writes``.
    """
    with chdir(ROOT):  # where the server, if this is what starts it, finds what it preloads
        forkserver.ensure_running()
    process = FORKS.Process(target=_run, args=(root, steps, writes))
    process.start()
    process.join(300)
    assert process.exitcode is not None, "the stage hangs"
    return process.exitcode


def steps_of(root: Path) -> int:
    """Return how many training steps the last run that was not killed has taken."""
    return int((root / "steps").read_text(encoding="utf-8"))


def start(root: Path, **environment: str) -> subprocess.Popen[str]:
    """Run the stage from the command line, in a session of its own, as DVC would."""
    return subprocess.Popen(
        [sys.executable, "-m", "stages.fine_tune", "demo", "tiny"],
        cwd=root,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outputs(root: Path) -> dict[str, bytes]:
    """Return the bytes of every file that the stage left under a hash."""
    return files(root / OUTPUT)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _run(root: Path, steps: int | None, writes: int | None) -> None:
    os.chdir(root)
    learned, flushed = Counted(Trainer.train_step, steps), Counted(os.fsync, writes)
    Trainer.train_step = lambda self: learned(self)  # type: ignore[method-assign]
    os.fsync = flushed  # type: ignore[assignment]
    fine_tune.main("demo", "tiny")
    (root / "steps").write_text(str(learned.calls), encoding="utf-8")


class Counted:
    """A function that kills its process when it is called for the ``deadly`` time, from 1 on."""

    def __init__(self, function: Callable[..., Any], deadly: int | None) -> None:
        self.function, self.deadly, self.calls = function, deadly, 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        if self.calls == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.function(*arguments)
