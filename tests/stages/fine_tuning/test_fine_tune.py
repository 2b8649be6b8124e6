"""A fine-tuned encoder is a candidate like any other: it learns, repeats and is declared."""

import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from stages import evaluate, fine_tune, train
from stages.contract.cross_validation import CrossValidation
from stages.fine_tuning.jobs import make_final_job, make_fold_jobs
from stages.runner import declare, imports, stopwatch
from stages.shared.errors import PipelineError
from stages.shared.features import encode
from stages.shared.schema import ROW, TARGET, read_schema
from stages.shared.storage import read_frame, read_json, write_json
from tests.stages.runner.test_declarations import is_within, map_to_final
from tests.support.clone import ROOT
from tests.support.fine_tuning_fixtures import OUTPUT, build_fixture, configure, outputs, run, start
from tests.support.text_fixtures import ONE_TEXT

pytestmark = pytest.mark.long
PREPARED = Path("data/prepared/demo")
ENOUGH = {"epochs": 15}  # for random weights to learn what is good and bad


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        build_fixture(root)
    return root


@pytest.fixture
def world(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prepared task and a tiny encoder in the working directory."""
    root = tmp_path / "world"
    shutil.copytree(prepared, root, symlinks=True)
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="module")
def tuned(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world in which the encoder was trained long enough."""
    root = tmp_path_factory.mktemp("tuned") / "world"
    shutil.copytree(prepared, root, symlinks=True)
    configure(root, **ENOUGH)
    assert run(root) == 0
    return root


def test_it_learns(tuned: Path) -> None:
    """Each simulated review holds a good or a bad word, which decides."""
    table = out_of_fold(tuned)
    assert np.mean((table["p_1"] > 0.5) == table["truth"]) > 0.9


def test_rows_nobody_trained_on_are_told_apart(tuned: Path) -> None:
    schema, frame = read_schema(tuned / PREPARED), read_frame(tuned / PREPARED / "test.parquet")
    answers = model_of(tuned).predict_proba(encode(frame, schema))
    assert answers.shape == (len(frame), 2)
    assert answers.sum(axis=1) == pytest.approx(1)
    assert np.mean((answers[:, 1] > 0.5) == (frame[TARGET] == "positive")) > 0.85


def test_the_loss_falls_and_its_curve_is_drawn(tuned: Path) -> None:
    for rows in ("train", "validation"):
        curve = pd.read_csv(tuned / OUTPUT / f"curves/plots/metrics/{rows}/loss.tsv", sep="\t")
        assert curve["loss"].iloc[-1] < curve["loss"].iloc[0]


def test_speed_and_memory_are_measured_beside_what_is_hashed(tuned: Path) -> None:
    measured = read_json(tuned / "data/measured/demo/tiny.json")
    assert set(measured) == {
        "training_seconds", "cpu_seconds", "texts_per_second", "tokens_per_second",
        "peak_memory_mib",
    }  # fmt: skip
    # Each of two folds has half of the rows to learn from, the last network all, in each epoch.
    learnt = 2 * len(out_of_fold(tuned)) * ENOUGH["epochs"]
    assert measured["texts_per_second"] * measured["training_seconds"] == pytest.approx(learnt)
    assert measured["tokens_per_second"] > measured["texts_per_second"]
    assert measured["cpu_seconds"] < 2 * measured["training_seconds"]  # of one thread
    assert 100 < measured["peak_memory_mib"] < 10_000  # torch alone takes the lower one


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "frozen", "windows": 3, "max_length": 6},
        {"windows": 3, "max_length": 6},
        {
            "method": "lora",
            "lora": {"rank": 4, "alpha": 8, "dropout": 0.1, "target_modules": ["query"]},
        },
        {"pooling": "own", "dropout": 0.1},
        {"freeze_layers": 1, "layer_decay": 0.5, "label_smoothing": 0.1},
        {"gradient_checkpointing": True, "gradient_accumulation_steps": 2},
        {"precision": "bf16"},
        {"validation_fraction": 0.1, "patience": 1},
        {"validation_fraction": 0.1, "method": "frozen"},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_every_way_to_train_gives_a_candidate_and_the_same_bytes_twice(
    world: Path, changes: dict[str, Any]
) -> None:
    configure(world, **changes)
    assert run(world) == 0
    first = outputs(world)
    shutil.rmtree(world / OUTPUT)
    assert run(world) == 0
    assert outputs(world) == first
    assert set(first) >= {"model.joblib", "out_of_fold.parquet", "candidate.json"}


def test_a_frozen_encoder_keeps_its_weights(world: Path) -> None:
    before = weights_of(world, method="frozen", head_c=1e-9)
    after = weights_of(world, method="frozen", head_c=1e3)
    assert {name for name in after if (after[name] != before[name]).any()} == {
        "head.weight", "head.bias",
    }  # fmt: skip


def test_adapters_change_what_they_target_and_are_merged_into_it(world: Path) -> None:
    start = weights_of(world, method="frozen")
    lora = {"rank": 4, "alpha": 8, "dropout": 0.0, "target_modules": ["query", "value"]}
    adapted = weights_of(world, method="lora", lora=lora)
    assert set(adapted) == set(start)
    changed = {name for name in adapted if (adapted[name] != start[name]).any()}
    targets = {f"encoder.encoder.layer.{i}.attention.self.{name}.weight"
               for i in (0, 1) for name in ("query", "value")}  # fmt: skip
    assert changed == targets | {"head.weight", "head.bias"}


def test_full_training_leaves_the_embeddings_alone_if_told_to(world: Path) -> None:
    start = weights_of(world, method="frozen")
    tuned = weights_of(world, freeze_embeddings=True, freeze_layers=1)
    same = {name for name in tuned if (tuned[name] == start[name]).all()}
    assert same == {name for name in tuned if ".embeddings." in name or ".layer.0." in name}


def test_its_folds_are_those_of_the_other_models(tuned: Path, world: Path) -> None:
    train.main("demo", "linear")
    key = ["repeat", "fold", ROW]
    other = read_frame(world / "data/candidates/demo/linear/out_of_fold.parquet", key)
    pd.testing.assert_frame_equal(read_frame(tuned / OUTPUT / "out_of_fold.parquet", key), other)


def test_all_rows_are_learnt_from_unless_some_are_held_out() -> None:
    y, cv = np.arange(200) % 2, CrossValidation(folds=4, seed=1)
    for job in make_fold_jobs(ONE_TEXT, y, cv, None, held_out=None):
        assert sorted([*job.fitted, *job.held]) == list(range(200))
        assert list(job.watched) == list(job.held)
    for job in make_fold_jobs(ONE_TEXT, y, cv, None, held_out=0.1):
        assert sorted([*job.fitted, *job.watched, *job.held]) == list(range(200))
        assert (len(job.fitted), len(job.watched)) == (135, 15)
    every, some = make_final_job(150, 50, None), make_final_job(150, 50, 0.1)
    assert (len(every.fitted), len(every.watched), len(every.held)) == (200, 0, 0)
    assert (list(some.fitted), list(some.watched)) == (list(range(150)), list(range(150, 200)))


def test_no_group_is_in_two_parts_of_a_fold() -> None:
    y, groups = np.arange(200) % 2, np.random.default_rng(0).integers(0, 40, 200).astype(str)
    cv = CrossValidation(folds=3, repeats=2, seed=1)
    for job in make_fold_jobs(ONE_TEXT, y, cv, groups, held_out=0.1):
        parts = [set(groups[rows]) for rows in (job.fitted, job.watched, job.held)]
        assert sum(map(len, parts)) == len(set().union(*parts)) == len(set(groups))
        assert sorted(np.concatenate([job.fitted, job.watched, job.held])) == list(range(200))
    cv = CrossValidation(folds=2, seed=1)
    with pytest.raises(
        PipelineError, match=r"validation_fraction = 0\.1 of 100 rows: all are of one group"
    ):
        make_fold_jobs(ONE_TEXT, y, cv, np.arange(200) // 100, held_out=0.1)


def test_evaluate_takes_it_as_one_more_candidate(
    tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "world"
    shutil.copytree(tuned, root, symlinks=True)
    monkeypatch.chdir(root)
    train.main("demo", "linear")
    evaluate.main("demo", "linear", "tiny")
    content = read_json(root / "data/evaluated/demo/evaluation.json")
    linear, tiny = content["candidates"]
    assert (tiny["model"], tiny["complexity"]) == ("tiny", 5)
    (gain,) = content["encoder_gains"]
    assert (gain["model"], gain["over"]) == ("tiny", "linear")
    assert gain["gain"]["mean"] == pytest.approx(tiny["mean"] - linear["mean"], abs=1e-5)
    assert gain["gain"]["low"] <= gain["gain"]["mean"] <= gain["gain"]["high"]
    page = (root / "data/evaluated/demo/results.md").read_text(encoding="utf-8")
    assert "tiny, a fine-tuned encoder, gains" in page


def test_it_opens_nothing_but_what_it_declares(world: Path) -> None:
    """Of two processes as well; the folder of weights is declared as a whole."""
    configure(world, processes=2)
    log, tracing = world / "trace.tsv", str(ROOT / "tests/support/tracing")
    done = start(world, PYTHONPATH=tracing, DVC_STAGE="fine_tune", TRACE_LOG=str(log))
    said, _ = done.communicate(timeout=300)
    assert done.returncode == 0, said
    item = {"task": "demo", "encoder": "tiny", "weights": "encoder"}
    stage = fine_tune.STAGE
    code = {path.as_posix() for path in imports.list_modules(Path("stages/fine_tune.py"))}
    reads = {*code, "params.yaml", *(path.format(**item) for path in stage.deps)}
    writes = {path.format(**item) for path in (*stage.outs, *stage.measures, *stage.scratch)}
    writes.add(stopwatch.FOLDER.as_posix())
    opened: dict[str, set[str]] = {"read": set(), "write": set()}
    for line in log.read_text(encoding="utf-8").splitlines():
        _, mode, path = line.split("\t")
        opened[mode].add(map_to_final(path))
    assert "encoder/model.safetensors" in opened["read"]
    assert {path for path in opened["read"] if not is_within(path, reads | writes)} == set()
    assert {path for path in opened["write"] if not is_within(path, writes)} == set()
    assert {path for path in code if path not in opened["read"]} == set()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fields": []}, "has no text column"),
        ({"labels": [], "positive": None, "problem": "regression"}, "no classes to predict"),
    ],
)
def test_a_table_without_texts_or_classes_is_refused(
    world: Path, changes: dict[str, Any], message: str
) -> None:
    path = world / PREPARED / "schema.json"
    write_json(path, {**read_json(path), **changes})
    with pytest.raises(PipelineError, match=message):
        fine_tune.main("demo", "tiny")


def test_an_unknown_key_of_a_task_is_refused(world: Path) -> None:
    text = (world / "params.yaml").read_text(encoding="utf-8")
    (world / "params.yaml").write_text(text.replace("tiny: {}", "tiny: {epoch: 3}", 1))
    declare.read_params.cache_clear()
    with pytest.raises(PipelineError, match=r"conf/task/demo\.yaml: encoders\.tiny .*\n.*epoch"):
        fine_tune.main("demo", "tiny")


def test_a_rate_that_diverges_is_named(world: Path) -> None:
    configure(
        world, learning_rate=0.99, max_grad_norm=1e30, weight_decay=1e30, freeze_embeddings=False
    )
    with pytest.raises(PipelineError, match=r"lower learning_rate \(0\.99\)"):
        fine_tune.main("demo", "tiny")


def out_of_fold(root: Path) -> pd.DataFrame:
    """Return the out-of-fold predictions with each row's true class, 1 for positive."""
    parts = [read_frame(root / PREPARED / f"{part}.parquet") for part in ("train", "validation")]
    table = read_frame(root / OUTPUT / "out_of_fold.parquet")
    truth = pd.concat(parts).set_index(ROW)[TARGET] == "positive"
    return table.assign(truth=truth.loc[table[ROW]].to_numpy())


def model_of(root: Path) -> Any:
    return joblib.load(root / OUTPUT / "model.joblib")


def weights_of(root: Path, **changes: Any) -> dict[str, np.ndarray[Any, Any]]:
    configure(root, **changes)
    assert run(root) == 0
    return {name: weight.numpy() for name, weight in model_of(root).module().state_dict().items()}
