"""The whole stage on simulated tasks: what it writes, what it refuses, and what it never breaks."""

import hashlib
import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from serve.runtime.encode import Encoder
from serve.runtime.load import load_model
from serve.runtime.manifest import Manifest, compute_version
from serve.runtime.manifest_file import read_manifest
from serve.runtime.session import start
from stages import export
from stages.contract.columns import Column
from stages.evaluating.content import Evaluation, Slice, read_evaluation
from stages.exporting import artifact, parity
from stages.exporting.card import escape_markdown, find_worst_slices
from stages.exporting.describing import describe_vectoriser
from stages.exporting.golden import pick_rows
from stages.exporting.graph import to_onnx
from stages.exporting.parity import Exported, compare, list_alterations
from stages.runner import declare
from stages.shared.errors import PipelineError
from stages.shared.features import encode
from stages.shared.storage import read_json, write_json
from tests.support.export_fixtures import (
    COLUMNS,
    KINDS,
    build_fixture,
    evaluate_fixture,
    make_frame,
    make_schema,
)

OUTPUT = Path("models/demo")
FAMILY = {"binary": "linear", "several": "lightgbm", "regression": "xgboost"}


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: Any) -> dict[str, Path]:
    """One task of each kind, built and evaluated once."""
    roots = {}
    for kind in KINDS:
        roots[kind] = tmp_path_factory.mktemp(kind)
        build_fixture(roots[kind], kind, FAMILY[kind])
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(roots[kind])
            evaluate_fixture(FAMILY[kind])
    return roots


@pytest.fixture
def stand(evaluated: Any, tmp_path: Path, monkeypatch: Any) -> Callable[[str], Path]:
    """Return a function that makes a copy of a task the working directory, with our code in it."""

    def enter(kind: str = "binary") -> Path:
        root = tmp_path / kind
        shutil.copytree(evaluated[kind], root)
        (root / "stages").symlink_to(Path(export.__file__).parent)
        monkeypatch.chdir(root)
        declare.read_params.cache_clear()
        return root

    return enter


@pytest.fixture
def exported(stand: Callable[[str], Path]) -> None:
    """A task of two classes, exported, as the working directory."""
    stand("binary")
    export.main("demo")


def contents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(OUTPUT.iterdir())}


def read() -> Manifest:
    return Manifest.model_validate_json((OUTPUT / "manifest.json").read_bytes())


def change(path: Path, edit: Callable[[Any], None]) -> None:
    content = read_json(path)
    edit(content)
    write_json(path, content)


def assert_servable() -> None:
    """The folder has a manifest whose file is there, whole, and answers as the manifest says."""
    manifest = read()
    content = (OUTPUT / manifest.model.file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == manifest.model.sha256
    load_model(OUTPUT)


# What is written


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_holds_what_the_manifest_names_and_the_card_alone(stand: Any, kind: str) -> None:
    stand(kind)
    export.main("demo")
    model, explanation = read().model, read().explanation
    assert explanation is not None
    assert set(contents()) == {model.file, explanation.file, "manifest.json", "README.md"}
    assert re.fullmatch(r"model-[0-9a-f]{12}\.onnx", model.file)
    assert re.fullmatch(r"explain-[0-9a-f]{12}\.npz", explanation.file)
    for part in (model, explanation):
        content = (OUTPUT / part.file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == part.sha256
        assert part.sha256[:12] in part.file


@pytest.mark.parametrize("kind", KINDS)
def test_the_server_loads_it_and_gives_every_golden_answer_again(stand: Any, kind: str) -> None:
    """In a session of the server's own, from the rows as JSON: the same doubles."""
    stand(kind)
    export.main("demo")
    manifest = read_manifest(OUTPUT)
    session = start((OUTPUT / manifest.model.file).read_bytes())
    encoder = Encoder(manifest.columns)
    for golden in manifest.golden:
        row = encoder.encode_unchecked(golden.input)
        (output,) = session.run([manifest.onnx.output], {manifest.onnx.input: np.array([row])})
        assert tuple(output.ravel().tolist()) == golden.output
    load_model(OUTPUT)


@pytest.mark.parametrize("kind", KINDS)
def test_golden_answers_are_those_of_the_trained_model(stand: Any, kind: str) -> None:
    root = stand(kind)
    export.main("demo")
    with (root / "data/evaluated/demo/champion.joblib").open("rb") as file:
        pipeline = joblib.load(file)
    encoder = Encoder(read_manifest(OUTPUT).columns)
    for golden in read().golden:
        row = encoder.encode_unchecked(golden.input)
        ask = pipeline.predict if kind == "regression" else pipeline.predict_proba
        np.testing.assert_allclose(golden.output, np.ravel(ask(np.array([row]))), rtol=1e-6)


@pytest.mark.usefixtures("exported")
def test_golden_rows_hold_a_missing_value_and_an_unseen_category() -> None:
    rows = [golden.input for golden in read().golden]
    assert 6 <= len(rows) <= 10
    assert any(None in row.values() for row in rows)
    assert any(row["group"] == "unseen" for row in rows)
    assert {type(row["grade"]) for row in rows} <= {int, str, type(None)}
    assert 3 in [row["grade"] for row in rows], "a category keeps its value's type"


def test_a_complete_table_gets_a_golden_row_with_a_missing_value_all_the_same() -> None:
    declared = {name: Column.model_validate(content) for name, content in COLUMNS.items()}
    frame = make_frame("binary", 60, seed=3)[list(COLUMNS)].dropna()
    assert pick_rows(frame, declared).isna().any(axis=None)


@pytest.mark.usefixtures("exported")
def test_the_manifest_repeats_contract_metrics_and_threshold() -> None:
    manifest = read()
    found = read_json(Path("data/evaluated/demo/evaluation.json"))
    assert manifest.metrics == read_json(Path("data/evaluated/demo/metrics.json"))
    assert manifest.target.threshold == found["threshold"]
    assert manifest.target.positive == "ill"
    assert list(manifest.target.labels) == ["healthy", "ill"]
    assert manifest.model.trained_on_rows == 270
    by_name = {column.name: column for column in manifest.columns}
    assert list(by_name) == list(COLUMNS)
    assert by_name["grade"].values == (3, 6, 7)
    assert by_name["dose"].unit == "mg|day"


@pytest.mark.usefixtures("exported")
def test_seen_is_the_range_of_the_rows_trained_on_and_of_numbers_alone() -> None:
    frames = [
        pd.read_parquet(f"data/prepared/demo/{split}.parquet") for split in ("train", "validation")
    ]
    dose = pd.concat(frames)["dose"]
    seen = {column.name: column.seen for column in read().columns}
    assert seen["dose"] == (dose.min(), dose.max())
    assert seen["count"] == (0.0, 4.0)
    assert {seen[name] for name in ("group", "grade", "treated", "seen_on")} == {None}


def test_a_regression_has_an_interval_and_no_threshold(stand: Any) -> None:
    stand("regression")
    export.main("demo")
    target = read().target
    assert (target.labels, target.threshold, target.unit) == ((), None, "USD")
    assert target.interval is not None
    assert target.interval.coverage == 0.9


@pytest.mark.usefixtures("exported")
def test_hashes_are_those_of_the_files_and_of_who_trained() -> None:
    hashes = read().hashes
    test = Path("data/prepared/demo/test.parquet").read_bytes()
    assert hashes.data["test"] == hashlib.sha256(test).hexdigest()
    assert (hashes.code["train"], hashes.params["train"]) == ("c" * 64, "d" * 64)
    assert {"onnx", "onnxruntime", "scikit-learn"} <= set(read().libraries)


@pytest.mark.usefixtures("exported")
def test_the_same_inputs_give_the_same_bytes() -> None:
    before = contents()
    shutil.rmtree(OUTPUT)
    export.main("demo")
    assert contents() == before


@pytest.mark.usefixtures("exported")
def test_numbers_survive_the_file() -> None:
    def refused(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    text = (OUTPUT / "manifest.json").read_text(encoding="utf-8")
    assert read().content() == json.loads(text, parse_constant=refused)


@pytest.mark.usefixtures("exported")
def test_the_version_follows_the_answers_and_nothing_else() -> None:
    manifest = read()
    assert compute_version(manifest) == manifest.version
    changes: list[dict[str, Any]] = [
        {"target": manifest.target.model_copy(update={"threshold": 0.123})},
        {"columns": manifest.columns[1:]},
        {"spelling": manifest.spelling.model_copy(update={"decimal": ","})},
        {"vectorisers": (describe_vectoriser(b"{}", "dose", 1),)},
        {"model": manifest.model.model_copy(update={"sha256": "0" * 64})},
    ]
    others = {compute_version(manifest.model_copy(update=change)) for change in changes}
    assert len(others | {manifest.version}) == 6
    unheard = {"title": "Another", "metrics": {}, "libraries": {}}
    assert compute_version(manifest.model_copy(update=unheard)) == manifest.version


@pytest.mark.usefixtures("exported")
def test_a_changed_title_keeps_the_version() -> None:
    before = read()
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace("A *demo*", "Another demo"), encoding="utf-8")
    declare.read_params.cache_clear()
    export.main("demo")
    assert read().title.startswith("Another demo")
    assert read().version == before.version
    assert read().hashes.params != before.hashes.params


# Parity


@pytest.mark.usefixtures("exported")
def test_every_row_and_every_alteration_is_compared() -> None:
    """360 rows, as they are, with each of 7 columns missing, with each of 2 categories unseen."""
    assert read().parity.rows == 360 * (1 + 7 + 2)
    assert read().parity.largest_difference <= 1e-6


def test_alterations_set_one_column_and_leave_the_table_alone() -> None:
    X = encode(make_frame("binary", 50, seed=4), make_schema("binary"))
    before = X.copy()
    cases = list(list_alterations(X, make_schema("binary").fields))
    missing = cases[1].apply(X, np.arange(50))
    assert (cases[1].text, cases[-1].text) == (" with dose missing", " with grade unseen")
    assert np.isnan(missing[:, 0]).all()
    np.testing.assert_array_equal(missing[:, 1:], X[:, 1:])
    assert (cases[-1].apply(X, np.arange(50))[:, 4] == -1).all()
    np.testing.assert_array_equal(X, before)


def test_of_a_large_table_every_row_is_compared_and_a_share_altered(monkeypatch: Any) -> None:
    monkeypatch.setattr(parity, "MOST_ALTERED", 100)
    X = encode(make_frame("binary", 90, seed=4), make_schema("binary"))
    plain, *altered = list_alterations(X, make_schema("binary").fields)
    assert len(plain.rows) == 90
    assert sum(len(case.rows) for case in altered) <= 100
    assert all(len(case.rows) for case in altered)


@pytest.mark.usefixtures("exported")
def test_the_row_that_differs_is_found_in_any_batch(monkeypatch: Any) -> None:
    """One row's answer is changed by 0.25; everything else agrees."""
    with Path("data/evaluated/demo/champion.joblib").open("rb") as file:
        pipeline = joblib.load(file)
    X = encode(make_frame("binary", 50, seed=5), make_schema("binary"))
    real = Exported.predict

    def wrong(self: Exported, rows: Any) -> Any:
        found = real(self, rows)
        found[(rows == X[33]).all(axis=1)] += 0.25
        return found

    X[33] = 1.0
    monkeypatch.setattr(Exported, "predict", wrong)
    monkeypatch.setattr(parity, "BATCH", 16)
    exported = Exported(to_onnx(pipeline), pipeline["features"])
    schema = make_schema("binary")
    found = compare(exported, pipeline, schema, X, list_alterations(X, schema.fields))
    assert (found.worst.row, found.worst.alteration) == (33, "")
    assert found.worst.size == pytest.approx(0.25, abs=1e-9)


@pytest.mark.parametrize(
    ("trained", "answer", "expected"),
    [
        ([[0.2, 0.8]], [[0.3, 0.7]], 0.1),
        ([200_000.0], [200_002.0], 1e-5),
        ([0.5], [0.6], 0.1),
        ([[0.2, 0.8]], [[np.nan, 0.8]], np.inf),
    ],
    ids=["probability", "large value", "small value", "no answer"],
)
def test_differences_are_absolute_or_relative_to_one_and_more(
    trained: Any, answer: Any, expected: float
) -> None:
    found = parity._measure_differences(np.array(trained), np.array(answer)).max()
    assert found == pytest.approx(expected)


# What fails leaves the last good model


def broken(pipeline: Any) -> bytes:
    """Export another model than the trained one: its first feature counts a little more."""
    estimator = pipeline["estimator"]
    estimator.coef_ = estimator.coef_.copy()
    estimator.coef_[0, 0] += 0.01
    model = to_onnx(pipeline)
    estimator.coef_[0, 0] -= 0.01
    return model


@pytest.mark.usefixtures("exported")
def test_a_wrong_graph_fails_and_leaves_the_old_model_servable(monkeypatch: Any) -> None:
    before = contents()
    monkeypatch.setattr(artifact, "to_onnx", broken)
    with pytest.raises(PipelineError) as caught:
        export.main("demo")
    message = str(caught.value)
    assert re.search(r"row \d+ of the table \(in \w+\.parquet\)", message)
    assert "export.tolerance in conf/config.yaml allows 1e-06" in message
    assert contents() == before
    assert_servable()


def test_the_row_of_the_message_is_the_one_of_the_table(stand: Any, monkeypatch: Any) -> None:
    """The first validation row has number 1001; its answer alone is made wrong."""
    stand("binary")
    real = export.compare

    def wrong(*args: Any) -> Any:
        found = real(*args)
        worst = replace(found.worst, size=0.5, row=180, alteration=" with dose missing")
        return replace(found, worst=worst)

    monkeypatch.setattr(export, "compare", wrong)
    with pytest.raises(PipelineError, match=r"row 1001 .*validation\.parquet\) with dose missing"):
        export.main("demo")
    assert not OUTPUT.exists()


STEPS = (
    "model replaced",
    "explanation replaced",
    "card replaced",
    "manifest replaced",
    "an old file deleted",
    "the other one deleted",
)
MANIFEST_REPLACED = STEPS.index("manifest replaced")


@pytest.mark.usefixtures("exported")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(len(STEPS)), ids=STEPS)
def test_killed_at_any_step_the_folder_stays_servable(
    monkeypatch: Any, step: int, when: str
) -> None:
    retrain()
    with monkeypatch.context() as patch:
        die_at(patch, step, when)
        with pytest.raises(KeyboardInterrupt):
            export.main("demo")
    assert_servable()
    export.main("demo")
    assert_servable()
    assert len(contents()) == 4


@pytest.mark.parametrize("step", range(MANIFEST_REPLACED + 1), ids=STEPS[: MANIFEST_REPLACED + 1])
def test_a_first_export_that_is_killed_leaves_no_manifest_or_a_good_one(
    stand: Any, monkeypatch: Any, step: int
) -> None:
    stand("binary")
    die_at(monkeypatch, step, "after")
    with pytest.raises(KeyboardInterrupt):
        export.main("demo")
    if (OUTPUT / "manifest.json").exists():
        assert_servable()
    assert (OUTPUT / "manifest.json").exists() == (step == MANIFEST_REPLACED)


def retrain() -> None:
    """Change the champion a little, so that the next export writes another file."""
    path = Path("data/evaluated/demo/champion.joblib")
    pipeline = joblib.load(path)
    pipeline["estimator"].intercept_ = pipeline["estimator"].intercept_ + 0.5
    joblib.dump(pipeline, path)


def die_at(patch: pytest.MonkeyPatch, step: int, when: str) -> None:
    """Raise before or after the ``step``-th time that a file is replaced or an old one deleted."""
    done = 0
    real = {"replace": Path.replace, "unlink": Path.unlink}

    def counted(name: str, path: Path, *args: Any, **kwargs: Any) -> Any:
        nonlocal done
        if path.suffix == ".tmp" and name == "unlink":
            return real[name](path, *args, **kwargs)
        done += 1
        if done == step + 1 and when == "before":
            raise KeyboardInterrupt
        result = real[name](path, *args, **kwargs)
        if done == step + 1:
            raise KeyboardInterrupt
        return result

    patch.setattr(Path, "replace", lambda *args, **kwargs: counted("replace", *args, **kwargs))
    patch.setattr(Path, "unlink", lambda *args, **kwargs: counted("unlink", *args, **kwargs))


@pytest.mark.usefixtures("exported")
def test_what_the_manifest_does_not_name_is_removed() -> None:
    (OUTPUT / "model.pkl").write_bytes(b"old")
    (OUTPUT / ".model-0.onnx.123.tmp").write_bytes(b"left by a killed run")
    (OUTPUT / "notes").mkdir()
    (OUTPUT / "notes/a.txt").touch()
    export.main("demo")
    assert len(contents()) == 4


# What is read


@pytest.mark.parametrize("key", ["threshold", "candidates", "test"])
def test_a_missing_key_of_the_evaluation_is_named(stand: Any, key: str) -> None:
    stand("binary")
    path = Path("data/evaluated/demo/evaluation.json")
    change(path, lambda content: content.pop(key))
    with pytest.raises(PipelineError, match=f"{path}(.|\n)*{key}: missing"):
        export.main("demo")


def test_other_keys_of_the_evaluation_may_come_and_go(stand: Any) -> None:
    stand("binary")
    path = Path("data/evaluated/demo/evaluation.json")
    change(path, lambda content: content.pop("learning_curve"))
    change(path, lambda content: content.update(news=[1]))
    export.main("demo")
    assert_servable()


def test_a_champion_that_did_not_compete_is_refused(stand: Any) -> None:
    stand("binary")
    path = Path("data/evaluated/demo/evaluation.json")
    change(path, lambda content: content.update(champion="ghost"))
    with pytest.raises(PipelineError, match="champion 'ghost' is none of the candidates"):
        export.main("demo")


@pytest.mark.parametrize("tolerance", [0.0, -1.0, "small"])
def test_a_tolerance_that_makes_no_sense_is_refused(stand: Any, tolerance: Any) -> None:
    root = stand("binary")
    path = root / "params.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("tolerance: 1e-06", f"tolerance: {tolerance}"), encoding="utf-8")
    declare.read_params.cache_clear()
    with pytest.raises(PipelineError, match=r"export\.tolerance"):
        export.main("demo")


# The card


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_of_the_card_has_rows_of_one_width(stand: Any, kind: str) -> None:
    """A pipe in a unit, a class or a title would otherwise open another cell."""
    stand(kind)
    export.main("demo")
    page = (OUTPUT / "README.md").read_text(encoding="utf-8")
    tables = re.findall(r"(?:^\|.*\|\s*$\n?)+", page, flags=re.MULTILINE)
    assert len(tables) >= 6
    for table in tables:
        lines = table.strip().splitlines()
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(widths) == 1, table
        assert set(lines[1].strip()) <= set("|-:"), table


@pytest.mark.usefixtures("exported")
def test_the_card_states_test_metrics_with_interval_baseline_and_n() -> None:
    page = (OUTPUT / "README.md").read_text(encoding="utf-8")
    metrics = read().metrics
    score = metrics["roc_auc"]
    row = next(line for line in page.splitlines() if line.startswith("| roc_auc |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    interval = f"{score['low']:.3f} to {score['high']:.3f}"
    baseline = f"{score['baseline']:.3f}"
    assert cells == ["roc_auc", f"{score['value']:.3f}", interval, baseline, str(metrics["n"])]


@pytest.mark.usefixtures("exported")
def test_the_call_on_the_card_is_the_first_golden_row() -> None:
    """As a shell reads it: the category b's has a quote in it."""
    page = (OUTPUT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^curl (?:.*\\\n)*.*$", page, flags=re.MULTILINE)
    words = shlex.split(command.replace("\\\n", ""))
    assert words[2].endswith("/predict/demo")
    assert json.loads(words[-1]) == read().golden[0].input


@pytest.mark.usefixtures("exported")
def test_a_name_in_code_stands_on_the_card_as_it_is() -> None:
    page = (OUTPUT / "README.md").read_text(encoding="utf-8")
    estimator = read().model.estimator
    assert "._" in estimator  # which Markdown outside of code would have to escape
    assert f"`{estimator}`" in page


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", r"a\|b"),
        ("<1H OCEAN", "&lt;1H OCEAN"),
        ("two\nlines", "two lines"),
        ("*bold* `code`", r"\*bold\* \`code\`"),
        ("total_rooms", "total_rooms"),
        ("_x_", r"\_x\_"),
    ],
)
def test_markdown_is_escaped(text: str, expected: str) -> None:
    assert escape_markdown(text) == expected


@pytest.mark.usefixtures("exported")
@pytest.mark.parametrize(("higher", "expected"), [(True, [0.1, 0.5]), (False, [0.5, 0.1])])
def test_the_worst_slices_come_first_and_small_ones_are_left_out(
    higher: bool, expected: list[float]
) -> None:
    found: Evaluation = read_evaluation(Path("data/evaluated/demo"))
    parts = [
        Slice(column="a", label="x", rows=9, value=value, low=value, high=value)
        for value in (0.5, None, 0.1)
    ]
    made = found.model_copy(update={"slices": tuple(parts), "higher_is_better": higher})
    assert [part.value for part in find_worst_slices(made)] == expected
