"""DVC runs the stage: one line in a task's file, and it resumes what was killed."""

import json
import signal
import subprocess
import time

import pandas as pd
import pytest
from ruamel.yaml import YAML

from tests.support.clone import Clone, commit, environment, make_clone
from tests.support.text_fixtures import BAD, FILLER, GOOD, reviews
from tests.support.tiny_encoder import make_encoder

pytestmark = pytest.mark.long
TASK = """\
title: Reviews
sources:
  sample: { path: data/sample/reviews.csv }
target: { expression: label, classes: [negative, positive], positive: positive }
columns:
  review: { type: text, length: [3, 120] }
metric: roc_auc
cv: { folds: 2 }
models: { linear: }
encoders: { tiny: }
"""
EPOCHS = 12
ENCODER = f"""\
weights: path:data/raw/encoders/tiny
max_length: 32
epochs: {EPOCHS}
learning_rate: 5.0e-3
freeze_embeddings: false
patience: null
batch_tokens: 128
threads: 1
save_steps: 5
"""
STAGE = "fine_tune@reviews-tiny"
CHECKPOINTS = "data/checkpoints/reviews/tiny"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone with a task of texts, whose stage was killed together with DVC and then resumed."""
    made = make_clone(tmp_path_factory.mktemp("clone") / "run")
    made.write("conf/task/reviews.yaml", TASK)
    made.write("conf/encoder/tiny.yaml", ENCODER)
    made.write("data/sample/reviews.csv", reviews(200).to_csv(index=False))
    make_encoder(made.path / "data/raw/encoders/tiny", [*GOOD, *BAD, *FILLER])
    made.compose()
    commit(made, "a task of texts")
    kill_dvc_at_a_checkpoint(made)
    assert STAGE in made.repro("evaluate-reviews")
    return made


def kill_dvc_at_a_checkpoint(clone: Clone) -> None:
    process = subprocess.Popen(
        ["dvc", "repro", STAGE], cwd=clone.path, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not list((clone.path / CHECKPOINTS).glob("*/*")):
        assert process.poll() is None, "it was done before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_the_transformer_competes_and_the_report_says_what_it_gains(clone: Clone) -> None:
    content = json.loads(clone.read("data/evaluated/reviews/evaluation.json"))
    assert [candidate["model"] for candidate in content["candidates"]] == ["linear", "tiny"]
    assert [gain["over"] for gain in content["encoder_gains"]] == ["linear"]
    assert "tiny, a fine-tuned encoder, gains" in clone.read("data/evaluated/reviews/results.md")


def test_killed_and_resumed_gives_what_an_unbroken_run_gives(clone: Clone) -> None:
    resumed = outputs(clone)
    clone.run("dvc", "repro", "-sf", STAGE)
    assert outputs(clone) == resumed


def test_nothing_is_left_to_do_nor_unfinished(clone: Clone) -> None:
    assert clone.repro("evaluate-reviews") == set()
    assert not list((clone.path / CHECKPOINTS).glob("*"))
    assert clone.run("git", "status", "--porcelain", "--", "data").stdout == ""


def test_other_weights_in_the_folder_run_the_stage_again(clone: Clone) -> None:
    make_encoder(clone.path / "data/raw/encoders/tiny", [*GOOD, *BAD, *FILLER], seed=1)
    assert clone.repro("evaluate-reviews") == {STAGE, "evaluate-reviews"}


def test_speed_is_measured_and_loss_among_the_plots(clone: Clone) -> None:
    metrics = json.loads(clone.read("data/measured/reviews/tiny.json"))
    # Each of two folds has half of the rows to learn from, the last network all, in each epoch.
    learnt = 2 * learning_rows(clone) * EPOCHS
    assert metrics["texts_per_second"] * metrics["training_seconds"] == pytest.approx(learnt)
    assert 100 < metrics["peak_memory_mib"] < 10_000  # torch alone takes the lower one
    dvcfile = YAML(typ="safe").load(clone.read("dvc.yaml"))
    files = [file for plot in dvcfile["plots"] if "reviews - tiny - loss" in plot
             for file in plot["reviews - tiny - loss"]["y"]]  # fmt: skip
    assert len(files) == 2
    assert all((clone.path / file).exists() for file in files)


def learning_rows(clone: Clone) -> int:
    """Return how many rows the task has to learn from: train's and validation's."""
    parts = (f"data/prepared/reviews/{part}.parquet" for part in ("train", "validation"))
    return sum(len(pd.read_parquet(clone.path / part)) for part in parts)


def outputs(clone: Clone) -> dict[str, str]:
    """Return the hash of each output of the stage."""
    lock = YAML(typ="safe").load(clone.read("dvc.lock"))
    return {out["path"]: out["md5"] for out in lock["stages"][STAGE]["outs"]}
