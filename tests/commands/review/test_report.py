"""The report of a change: right about differences, calm about noise, plain about gaps."""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from commands.program import app
from commands.review.commits import Commit, find_base
from commands.review.compare import Compared, compare_sides
from commands.review.findings import Findings, gather_findings
from commands.review.markdown import format_code, format_signed, format_table
from commands.review.page import LIMIT, write_page
from commands.review.ran import Stages, compare_stages
from commands.review.regressions import Regression, find_regressions
from commands.review.report import write_report
from commands.review.rows import match_equal_rows, match_same_rows
from commands.review.settings import ReportSettings
from commands.review.side import Evaluation, Side
from commands.review.snapshot import Snapshot
from commands.review.store import Store
from commands.review.values import Change, find_changes
from stages.evaluating.candidates import arrange
from stages.evaluating.metrics import find_metric
from stages.runner import stopwatch
from stages.shared.errors import PipelineError
from stages.shared.schema import ROW, TARGET, Field, Schema
from tests.support.clone import Clone, commit
from tests.support.evaluate_fixtures import FIELDS, make_frame, make_schema
from tests.support.report_fixtures import GATE, Content, World, edited, evaluated_json, truth

SETTINGS = ReportSettings.parse(GATE, "test")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: Any) -> World:
    made = World(tmp_path / "repository")
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def written(world: World) -> Callable[..., tuple[int, str]]:
    """Return what runs the command in the world: its exit code and the report's text."""

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["report", "--no-pictures", *words], catch_exceptions=False)
        return done.exit_code, (world.root / "data/report/report.md").read_text()

    return run


def gather(world: World, base: str, settings: ReportSettings = SETTINGS) -> Findings:
    store = Store(world.root)
    one, head = Commit("base", base), Commit("HEAD", world.git("rev-parse", "HEAD"))
    return gather_findings(one, head, Snapshot.of(one, store), Snapshot.here(store), settings)


# --- noise and signal -----------------------------------------------------------------------------


def test_the_same_commit_differs_in_nothing(world: World, written: Any) -> None:
    world.save({"demo": Content(), "other": Content("regression")})
    status, text = written("--base", "HEAD")
    assert status == 0
    assert "Every prediction is the same" in text
    assert "better" not in text
    assert "worse" not in text
    assert "0 of 8 stages ran" in text


def test_the_same_commit_differs_in_nothing_even_without_its_files(
    world: World, written: Any
) -> None:
    world.save({"demo": Content(without=("data/evaluated/demo/predictions.parquet",))})
    shutil.rmtree(world.root / ".dvc/cache")
    status, text = written("--base", "HEAD")
    assert status == 0
    assert "Every prediction is the same" in text


class Simulated(Side):
    """One task without files: the same rows for all, predictions as good as any other's."""

    def __init__(self, content: Content, name: str = "side") -> None:
        evaluation = {"bins": 10, "slices": 4, "resamples": 400, "confidence": 0.95, "seed": 7}
        snapshot = Snapshot(name, {}, {"evaluation": evaluation}, Store(Path()))
        super().__init__("demo", snapshot)
        assert content.schema is not None
        known = pd.concat([content.frames[part] for part in ("train", "validation")])
        self.__dict__.update(
            schema=content.schema,
            test=content.frames["test"],
            predictions=content.predictions(),
            known=known,
            out_of_fold=arrange(content.out_of_fold(), known[ROW].to_numpy()),
            evaluation=Evaluation.parse(evaluated_json(content, content.schema), "test"),
        )


def make_pair(seed: int, kind: str, rows: int, noises: tuple[float, float]) -> tuple[Side, Side]:
    """Return two models of the same rows, whose mistakes are drawn independently."""
    frames = {
        part: make_frame(kind, size, seed + 50_000 * place, first=10_000 * place)
        for place, (part, size) in enumerate(
            (("test", rows), ("train", 3 * rows), ("validation", rows))
        )
    }
    base, here = (
        Content(kind, noise=noise, frames=frames, seed=10_000 * place + seed)
        for place, noise in enumerate(noises, 1)
    )
    return Simulated(base), Simulated(here)


@pytest.mark.parametrize(("kind", "rows"), [("binary", 75), ("regression", 120)])
def test_equal_models_are_called_different_in_at_most_one_report_of_twenty(
    kind: str, rows: int
) -> None:
    """A/A: every metric and every slice of a report counts, not each by itself."""
    seeds, called = 200, 0
    for seed in range(seeds):
        result = compare_sides(*make_pair(seed, kind, rows, (0.7, 0.7)), alpha=0.05)
        assert len(result.metrics) >= 4
        assert result.slices
        assert result.out_of_fold
        found = (*result.metrics, *result.slices, result.out_of_fold)
        called += bool({difference.verdict for difference in found} - {"within noise"})
    assert called <= 0.05 * seeds


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_model_that_is_clearly_worse_is_called_so(kind: str) -> None:
    verdicts = [
        compare_sides(*make_pair(seed, kind, 400, (0.1, 2.5)), alpha=0.05).own.verdict
        for seed in range(10)
    ]
    assert verdicts.count("worse") >= 9
    swapped = [
        compare_sides(*make_pair(seed, kind, 400, (2.5, 0.1)), alpha=0.05).own.verdict
        for seed in range(10)
    ]
    assert swapped.count("better") >= 9


def test_values_and_difference_are_the_metrics_of_the_shared_rows() -> None:
    base, here = make_pair(3, "regression", 100, (0.5, 1.0))
    own = compare_sides(base, here, 0.05).own
    y = truth(Content("regression", frames={"test": base.test}))
    before, after = (np.sqrt(np.mean((side.predictions - y) ** 2)) for side in (base, here))
    assert (own.base, own.here) == pytest.approx((before, after))
    assert own.value == pytest.approx(after - before)
    assert own.low < own.value < own.high


def test_an_interval_is_narrower_where_mistakes_are_shared() -> None:
    """Pairing: two models that err on the same rows differ by less than each varies."""
    frames = {part: make_frame("regression", 300, 5) for part in ("train", "validation", "test")}
    base = Content("regression", noise=2.0, frames=frames, seed=1)
    close = Simulated(base)
    close.__dict__["predictions"] = Simulated(base).predictions + 0.5
    other = Simulated(Content("regression", noise=2.0, frames=frames, seed=2))
    alike, apart = (compare_sides(Simulated(base), side, 0.05).own for side in (close, other))
    assert alike.high - alike.low < (apart.high - apart.low) / 5


def test_slices_that_got_worse_are_found() -> None:
    base, here = make_pair(1, "binary", 600, (0.1, 0.1))
    broken = here.test["group"].to_numpy() == "a"
    here.predictions[broken] = here.predictions[broken][:, ::-1]
    worse = {
        part.name for part in compare_sides(base, here, 0.05).slices if part.verdict == "worse"
    }
    assert "group = a" in worse
    assert not worse & {"group = b", "group = <c>|"}


def test_flips_are_counted_by_what_they_do() -> None:
    base, here = make_pair(2, "binary", 60, (0.0, 0.0))
    y = truth(Content(frames={"test": base.test}))
    sure = np.column_stack([1 - y, y]).astype(float)
    base.__dict__["predictions"], here.__dict__["predictions"] = sure.copy(), sure.copy()
    base.predictions[:3] = base.predictions[:3][:, ::-1]  # three mended
    here.predictions[3:5] = here.predictions[3:5][:, ::-1]  # two broken
    flips = compare_sides(base, here, 0.05).flips
    assert flips.counts == {"mended": 3, "broken": 2, "other": 0}
    assert {flip.row for flip in flips.largest} == set(base.test[ROW][:5])


# --- rows -----------------------------------------------------------------------------------------


def shuffle_rows(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return the rows in another order, numbered anew."""
    moved = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
    return moved.assign(**{ROW: np.arange(1, len(moved) + 1)})


def test_rows_are_found_by_content_in_any_order() -> None:
    frame = make_frame("binary", 50, 1)
    twice = pd.concat([frame, frame.head(3)], ignore_index=True)  # copies are rows of their own
    pairs = match_equal_rows(twice, shuffle_rows(twice), FIELDS)
    columns = [field.name for field in FIELDS] + [TARGET]
    left, right = twice.iloc[pairs.base][columns], shuffle_rows(twice).iloc[pairs.here][columns]
    assert len(pairs.base) == len(set(pairs.base)) == len(set(pairs.here)) == 53
    pd.testing.assert_frame_equal(left.reset_index(drop=True), right.reset_index(drop=True))


def test_added_removed_and_edited_rows_are_told_apart() -> None:
    old = make_frame("binary", 60, 1)
    new = old.copy()
    new.loc[4, "dose"] = 99.0  # one cell
    new.loc[7, TARGET] = "ill" if new.loc[7, TARGET] == "healthy" else "healthy"  # a label
    new.loc[9, ["dose", "noise"]] = [98.0, 97.0]  # two cells of a row that keeps its number
    new = pd.concat([new.drop(index=[0, 1]), make_frame("binary", 5, 2, first=500)])
    matched = match_same_rows(old, new.reset_index(drop=True), FIELDS)
    assert matched.edited == 3
    assert matched.cells == {"dose": 2, TARGET: 1, "noise": 1}
    assert len(old) - len(matched.base) == 2
    assert len(new) - len(matched.here) == 5


def test_another_unit_is_an_edit_of_every_row_and_of_one_column() -> None:
    old = make_frame("binary", 40, 1)
    matched = match_same_rows(old, shuffle_rows(old.assign(dose=old["dose"] * 10)), FIELDS)
    assert (matched.edited, matched.cells) == (40, {"dose": 40})


def test_new_rows_of_the_same_class_are_no_edits_of_old_ones() -> None:
    """With two columns nearly everything agrees with something by chance."""
    fields = (Field(name="review", type="text"),)
    old = pd.DataFrame({ROW: [1, 2], "review": ["good", "bad"], TARGET: ["pos", "neg"]})
    new = pd.DataFrame(
        {ROW: [3, 4, 5], "review": ["fine", "nice", "poor"], TARGET: ["pos", "pos", "neg"]}
    )
    assert match_same_rows(old, new, fields).cells.get("review", 0) <= 1


def test_whole_numbers_and_numbers_of_the_same_value_are_equal() -> None:
    old = make_frame("binary", 20, 1)
    new = old.assign(count=old["count"].astype("float64"))
    fields = [Field(name="count", type="number")]
    assert len(match_equal_rows(old, new, fields).base) == 20


# --- what led to it -------------------------------------------------------------------------------


def test_parameters_are_listed_by_their_flat_keys() -> None:
    old = {"libraries": {"numpy": "1"}, "model": {"C": 1.0, "old": True}, "task": {}, "empty": None}
    new = {
        "libraries": {"numpy": "2"},
        "model": {"C": 0.5},
        "task": {"new": {"a": 1, "b": {"c": [1, 2]}}},
        "empty": {"depth": 3},
    }
    assert find_changes(old, new) == [
        Change("model.C", "1.0", "0.5"),
        Change("model.old", "true", None),
        Change("task.new", None, "2 values"),
        Change("empty.depth", None, "3"),
        Change("libraries.numpy", "1", "2"),
    ]


def test_a_value_of_another_type_is_a_change() -> None:
    assert find_changes({"a": 1}, {"a": True}) == [Change("a", "1", "true")]
    assert find_changes({"a": [1]}, {"a": [1]}) == []


def test_stages_that_ran_say_why(tmp_path: Path) -> None:
    def entry(dep: str, out: str, **params: Any) -> dict[str, Any]:
        return {
            "cmd": "run",
            "deps": [{"path": "code.py", "md5": "c"}, {"path": "raw", "md5": dep}],
            "params": {"params.yaml": params},
            "outs": [{"path": f"made/{out[0]}", "md5": out}],
        }

    use = {"cmd": "use", "deps": [{"path": "made/a", "md5": "a1"}], "outs": []}
    base = {"a": entry("r1", "a1", depth=2), "b": entry("r1", "b1"), "use": use, "old": use}
    here = {
        "a": entry("r1", "a2", depth=3),
        "b": entry("r2", "b1"),
        "use": {**use, "deps": [{"path": "made/a", "md5": "a2"}]},
        "new": use,
    }
    stages = compare_stages(base, here, Store(tmp_path))
    assert [(run.name, run.state, run.causes, run.after, run.same) for run in stages.ran] == [
        ("a", "ran", ("depth",), (), False),
        ("b", "ran", ("raw",), (), True),
        ("use", "ran", (), ("a",), True),
        ("new", "new", (), (), False),
    ]
    assert stages.removed == ("old",)


@pytest.mark.parametrize("cached", [True, False])
def test_a_stage_whose_code_changed_names_the_file_and_the_library(
    tmp_path: Path, cached: bool
) -> None:
    listed = "code:\n  a.py: {}\n  b.py: same\nlibraries:\n  numpy: {}\n"
    texts = [listed.format("one", "1.0"), listed.format("two", "2.0")]
    path = "data/composed/use.yaml"
    entries: list[dict[str, Any]] = []
    (tmp_path / ".dvc").mkdir()
    for text in texts:
        digest = hashlib.md5(text.encode()).hexdigest()
        place = tmp_path / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
        if cached:
            place.parent.mkdir(parents=True)
            place.write_text(text)
        entries.append({"use": {"deps": [{"path": path, "md5": digest}]}})
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (run,) = compare_stages(*entries, Store(tmp_path)).ran
    assert run.causes == (("a.py", "libraries.numpy") if cached else (path,))


def test_a_report_tells_of_data_parameters_and_stages(world: World, written: Any) -> None:
    before = Content(rows=300)
    world.save({"demo": before})
    train = before.frames["train"]
    moved = train.assign(dose=train["dose"] + 3.0)
    more = pd.concat([moved, make_frame("binary", 12, 99, first=70_000)], ignore_index=True)
    world.save({"demo": edited(before, "train", more, models={"linear": {"C": 0.5}})})
    _, text = written("--base", "HEAD~1")
    assert "| `demo` | 900 | 912 | 12 | 0 | 300 | 0 |" in text
    assert "- edited: `dose` in 300 rows" in text
    assert re.search(r"- `dose`: `.*of the values present", text)
    assert "| `task.demo.models.linear.C` | `1.0` | `0.5` |" in text
    assert "| `evaluate-demo` | `task.demo.models`; outputs of `prepare@demo` | the same |" in text


def test_uncommitted_edits_that_were_not_run_are_warned_of(world: World, written: Any) -> None:
    world.save({"demo": Content()})
    path = world.root / "params.yaml"
    path.write_text(path.read_text().replace("C: 1.0", "C: 0.1"))
    _, text = written("--base", "HEAD")
    assert "`dvc.lock` is older than the files here: 1 stage would run (`evaluate-demo`)" in text
    assert "Not committed when it was written: `params.yaml`" in text


# --- what cannot be compared ----------------------------------------------------------------------


def test_what_restored_stages_last_took_is_told(world: World, written: Any) -> None:
    one, two = Content(), Content(seed=1)
    world.save({"kept": one, "other": two})
    world.save({"kept": one, "other": edited(two, "train", two.frames["train"][:100])})
    restored = "had the base's inputs, so their results were restored"
    assert f"4 {restored}." in written("--base", "HEAD~1")[1]
    with stopwatch.time_stage(["prepare", "kept"]):
        pass
    (took,) = (world.root / stopwatch.FOLDER).iterdir()
    took.write_text("65.4")
    text = written("--base", "HEAD~1")[1]
    assert f"4 {restored}, which saved about 1 min 5 s, as far as known (1 of them)." in text


def test_a_folder_has_the_hash_that_dvc_gives_it(world: World) -> None:
    for name in ("one.py", "deep/two.py", "deep/notes.txt", "zwei und drei.py"):
        path = world.root / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (world.root / ".dvcignore").write_text("*.txt\n")
    command = [sys.executable, "-m", "dvc", "add", "--quiet", "code"]
    subprocess.run(command, cwd=world.root, check=True)
    added = YAML(typ="safe").load((world.root / "code.dvc").read_text())["outs"][0]
    assert added["nfiles"] == 3
    assert Store(world.root).digest("code") == added["md5"]
    assert Store(world.root).digest("gone") is None


def test_a_commit_from_before_the_pipeline_ran_is_said(world: World, written: Any) -> None:
    world.git("commit", "-q", "--allow-empty", "-m", "first")
    world.save({"demo": Content()})
    status, text = written("--base", "HEAD~1")
    assert status == 0
    assert text.startswith("# ⚠️ `HEAD~1` was never run: there is nothing to compare with")
    assert "🆕 new" in text


def test_tasks_that_came_and_went_are_listed(world: World, written: Any) -> None:
    world.save({"kept": Content(), "gone": Content()})
    world.save({"kept": Content(), "fresh": Content("regression")})
    status, text = written("--base", "HEAD~1")
    assert status == 0
    assert "| `fresh` | 🆕 new | rmse |" in text
    assert "| `gone` | removed |" in text


def test_an_empty_cache_is_said_and_fails_nothing(world: World, written: Any) -> None:
    world.save({"demo": Content()})
    world.save({"demo": Content(noise=1.0, seed=1)})
    shutil.rmtree(world.root / ".dvc/cache")
    status, text = written("--base", "HEAD~1")
    assert status == 0
    assert "`demo` could not be compared" in text
    assert "is not in DVC's cache, and no remote is configured" in text


def test_what_the_cache_lacks_comes_from_the_remote(
    world: World, written: Any, tmp_path: Path
) -> None:
    world.save({"demo": Content(rows=400)})
    (tmp_path / "remote/files").mkdir(parents=True)
    shutil.move(world.root / ".dvc/cache/files/md5", tmp_path / "remote/files/md5")
    world.save({"demo": Content(rows=400, noise=3.0, seed=1)})
    config = world.root / ".dvc/config"
    config.write_text(
        config.read_text()
        + f"    remote = shelf\n['remote \"shelf\"']\n    url = {tmp_path / 'remote'}\n"
    )
    status, text = written("--base", "HEAD~1")
    assert status == 1
    assert "🔴\u00a0worse" in text


def test_a_damaged_object_is_named_and_not_believed(world: World, written: Any) -> None:
    world.save({"demo": Content()})
    for path in world.objects():
        path.write_bytes(path.read_bytes() + b"!")
    world.save({"demo": Content(noise=1.0, seed=1)})
    _, text = written("--base", "HEAD~1")
    assert "could not be compared" in text


def test_a_base_without_predictions_is_said(world: World, written: Any) -> None:
    world.save({"demo": Content(without=("data/evaluated/demo/predictions.parquet",))})
    world.save({"demo": Content(noise=1.0, seed=1)})
    status, text = written("--base", "HEAD~1")
    assert status == 0
    assert "data/evaluated/demo/predictions.parquet is not among the outputs in dvc.lock" in text
    assert "| `demo` | ⚠️ not compared | roc_auc | 0.500 | 0.500 |" in text


def test_another_target_is_not_compared(world: World, written: Any) -> None:
    world.save({"demo": Content("several")})
    world.save({"demo": Content("binary")})
    _, text = written("--base", "HEAD~1")
    assert "the target changed: classification of low, middle, high" in text


def test_other_test_rows_are_not_compared(world: World, written: Any) -> None:
    before = Content()
    world.save({"demo": before})
    world.save({"demo": edited(before, "test", make_frame("binary", 80, 77))})
    _, text = written("--base", "HEAD~1")
    assert "only 0 of 80 test rows are the base's, too" in text


def test_a_column_more_is_said_and_the_rows_still_found(world: World) -> None:
    before = Content(rows=300)
    base = world.save({"demo": before})
    schema = Schema(
        problem="classification",
        fields=(*FIELDS, Field(name="extra", type="number")),
        labels=before.schema.labels,
    )
    frames = {part: frame.assign(extra=1.5) for part, frame in before.frames.items()}
    world.save({"demo": Content(frames=frames, schema=schema, noise=0.2, seed=3)})
    findings = gather(world, base)
    (task,), data = findings.compared, findings.data["demo"]
    assert task.own.rows == 300
    assert data.columns == ("extra is new (number)",)
    assert (data.added, data.removed, data.edited) == (0, 0, 0)


def test_classes_in_another_order_are_the_same_classes(world: World) -> None:
    base = world.save({"demo": Content(rows=300, noise=0.0)})
    labels = tuple(reversed(make_schema("binary").labels))
    schema = Schema(problem="classification", fields=FIELDS, labels=labels)
    turned = Content(rows=300, schema=schema, seed=1)
    turned.predictions = lambda: Content(rows=300).predictions()[:, ::-1]  # type: ignore[method-assign]
    world.save({"demo": turned})
    (task,) = gather(world, base).compared
    assert task.flips.total == 0
    assert all(metric.value == pytest.approx(0) for metric in task.metrics)


def test_an_unknown_base_names_what_to_do(world: World) -> None:
    world.save({"demo": Content()})
    with pytest.raises(Exception, match=r"BASE=nowhere is no commit .*git fetch origin nowhere"):
        find_base("nowhere")


def test_work_that_went_on_elsewhere_is_not_blamed(world: World) -> None:
    """The base is where the branch began, not where main has got to since."""
    began = world.save({"demo": Content()})
    world.git("checkout", "-q", "-b", "mine")
    world.save({"demo": Content(noise=0.1, seed=1)})
    world.git("checkout", "-q", "main")
    world.save({"demo": Content(noise=0.2, seed=2)})
    world.git("checkout", "-q", "mine")
    assert find_base("main").sha == began


# --- the gate -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gate", "status"),
    [
        ({"fail_on": ["metric"]}, 1),
        ({"fail_on": ["metrics"]}, 1),
        ({"fail_on": []}, 0),
        ({"fail_on": ["metric"], "allowed_loss": 0.5}, 0),
    ],
)
def test_the_gate_is_what_is_declared(
    world: World, written: Any, gate: dict[str, Any], status: int
) -> None:
    world.save({"demo": Content(rows=400)})
    world.save({"demo": Content(rows=400, noise=3.0, seed=1)}, GATE | gate)
    ended, text = written("--base", "HEAD~1")
    assert ended == status
    allowed = "# ⚠️ Worse than `HEAD~1`, within what `report` allows: `demo`"
    assert text.startswith("# ❌ Worse than `HEAD~1`: `demo`" if status else allowed)
    assert "🔴\u00a0worse" in text  # said in any case


def test_the_gate_may_look_at_slices_and_other_metrics() -> None:
    roc, brier = (find_metric(name, "classification", "") for name in ("roc_auc", "brier"))
    from commands.shared.paired import Difference

    own = Difference("roc_auc", roc, 100, 0.9, 0.9, -0.01, 0.01)
    other = Difference("brier", brier, 100, 0.1, 0.2, 0.05, 0.15)
    part = Difference("sex = 0", roc, 50, 0.9, 0.7, -0.3, -0.1)
    side = type("Side", (), {"evaluation": type("E", (), {"metric": "roc_auc"})})()
    task = Compared("demo", "compared", here=side, metrics=(own, other), slices=(part,))
    names = {
        what: [
            found.difference.name
            for found in find_regressions([task], SETTINGS.model_copy(update={"fail_on": what}))
        ]
        for what in (("metric",), ("metrics",), ("slices",), ("metrics", "slices"))
    }
    assert list(names.values()) == [[], ["brier"], ["sex = 0"], ["brier", "sex = 0"]]


def test_a_loss_that_the_test_rows_cannot_tell_shows_out_of_fold(
    world: World, written: Any
) -> None:
    """60 test rows, of which few speak; several times as many rows out of fold."""
    world.save({"demo": Content(rows=60, noise=0.3, seed=5)})
    settings = GATE | {"fail_on": ["metric", "out_of_fold"]}
    changed = Content(rows=60, noise=0.4, noise_out_of_fold=3.0, seed=6)
    world.save({"demo": changed}, settings)
    status, text = written("--base", "HEAD~1")
    assert status == 1
    assert text.startswith("# ❌ Worse than `HEAD~1`: `demo`")
    assert "- `demo`: roc_auc out of fold 0." in text
    own, out_of_fold = (
        re.search(rf"^\| {name}[^|]*\| ([^|]+) \|", text, re.M)[1]
        for name in ("the champion", "cross-validated")
    )
    assert (own, out_of_fold) == ("🟡\u00a0inconclusive", "🔴\u00a0worse")


@pytest.mark.parametrize(
    ("fail_on", "status", "head"),
    [
        (["metric", "out_of_fold"], 0, "# ⚠️ Inconclusive against `HEAD~1`: `demo`"),
        (["inconclusive"], 1, "# ❌ Inconclusive against `HEAD~1`: `demo`"),
    ],
)
def test_too_few_rows_to_tell_are_inconclusive(
    world: World, written: Any, fail_on: list[str], status: int, head: str
) -> None:
    world.save({"demo": Content(rows=40, noise=0.5)})
    world.save({"demo": Content(rows=40, noise=0.5, seed=1)}, GATE | {"fail_on": fail_on})
    ended, text = written("--base", "HEAD~1")
    assert ended == status
    assert text.startswith(head)
    assert "| `demo` | 🟡\u00a0inconclusive | roc_auc" in text
    assert re.search(r"A loss of up to 0\.\d+ in roc_auc.* is not ruled out; up to 1 % does", text)


def test_a_loss_that_does_not_matter_is_not_worse(world: World, written: Any) -> None:
    world.save({"demo": Content(rows=400)})
    changed = Content(rows=400, noise=0.02, seed=1)
    world.save({"demo": changed}, GATE | {"fail_on": ["inconclusive"]})
    status, text = written("--base", "HEAD~1")
    assert status == 0
    assert text.startswith("# ✅ No regression against `HEAD~1`")
    assert "🟢\u00a0not\u00a0worse" in text


def test_a_choice_that_is_none_is_named_with_those_that_are() -> None:
    with pytest.raises(PipelineError, match=r"fail_on.*'out_of_fold'.*'metrik'") as caught:
        ReportSettings.parse(GATE | {"fail_on": ["metrik"]}, "conf/config.yaml: report")
    assert "conf/config.yaml: report" in str(caught.value)


# --- the page -------------------------------------------------------------------------------------


def test_a_report_of_very_much_stays_within_githubs_limit() -> None:
    tasks = [compare_sides(*make_pair(seed, "binary", 60, (0.1, 1.5)), 0.05) for seed in range(4)]
    names = [f"task_{place:03}_{'x' * 30}" for place in range(400)]
    many = tuple(
        Compared(**{**vars(tasks[place % 4]), "task": name}) for place, name in enumerate(names)
    )
    params = tuple(Change(f"model.{'k' * 60}.{i}", "1" * 70, "2" * 70) for i in range(3_000))
    findings = Findings(
        base=Commit("main", "a" * 40),
        head=Commit("HEAD", "b" * 40),
        settings=SETTINGS,
        compared=many,
        data=dict.fromkeys(names, "it is not there"),
        params=params,
        stages=Stages((), tuple(names), ()),
        outdated=(),
        uncommitted=(),
        seconds={},
    )
    text = write_page(findings, [Regression("task_000", "worse", many[0].own)] * 400, {})
    assert len(text.encode()) < LIMIT == 65_536
    assert text.startswith("# ❌ Worse than `main`: `task_000`")
    assert names[0] in text
    assert "Left out, because a comment on GitHub holds 65,536 characters" in text
    for line in text.splitlines():  # cut between rows, never within
        assert line.count("|") == 0 or line.endswith("|")


@pytest.mark.parametrize("value", ["@everyone", "a|b", "`x`", "``", "<script>", "x\n\n# y", ""])
def test_values_are_shown_as_they_are_and_do_nothing(value: str) -> None:
    text = format_code(value)
    assert "\n" not in text
    fence = re.match("`+", text)[0]
    inner = text.removeprefix(fence).removesuffix(fence)
    assert fence not in inner.strip()
    assert inner.strip() == " ".join(value.split())


def test_a_table_is_cut_and_says_so() -> None:
    text = format_table(("a", "b:"), [(1, "x|y"), (2, "z"), (3, "z")], most=2)
    assert text == "| a | b |\n| --- | ---: |\n| 1 | x\\|y |\n| 2 | z |\n\n… and 1 more."


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        (0.0123, 0.9, "+0.012"),
        (-1234.4, 50_000, "\u22121,234"),
        (0.00001, 0.9, "0"),
        (-0.2, 500, "0"),
    ],
)
def test_differences_have_a_sign_and_as_many_digits_as_their_values(
    value: float, scale: float, text: str
) -> None:
    assert format_signed(value, scale) == text


def test_pictures_are_beside_the_markdown(world: World) -> None:
    world.save({"demo": Content(), "value": Content("regression"), "same": Content()})
    world.save({"demo": Content(noise=1.0, seed=1), "value": Content("regression", noise=1.0),
                "same": Content()})  # fmt: skip
    write_report("HEAD~1")
    folder = world.root / "data/report"
    assert {path.name for path in folder.iterdir()} == {"report.md", "demo.png", "value.png"}
    assert (folder / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert "](demo.png)" in (folder / "report.md").read_text()


# --- the pipeline itself --------------------------------------------------------------------------


def test_a_changed_parameter_of_the_real_pipeline_is_reported(pipeline: Clone) -> None:
    base = pipeline.run("git", "rev-parse", "HEAD").stdout.strip()
    pipeline.replace("conf/task/heart.yaml", "linear: { C: 0.1 }", "linear: { C: 0.0001 }")
    pipeline.compose()
    pipeline.run("dvc", "repro", "evaluate-heart")
    commit(pipeline, "less of it")
    done = pipeline.run(sys.executable, "-m", "commands", "report", "--base", base, check=False)
    text = pipeline.read("data/report/report.md")
    assert done.returncode == int("❌" in text), done.stderr
    assert "| `task.heart.models.linear.C` | `0.1` | `0.0001` |" in text
    assert "`train@heart-linear` | `task.heart.models.linear` | new |" in text
    assert "## `heart`" in text
    assert "| `housing` | ⚪ same predictions | rmse |" in text
    assert (pipeline.path / "data/report/heart.png").stat().st_size > 10_000
    assert pipeline.run("git", "status", "--short").stdout == ""
