"""A value that only ``params.yaml`` holds stops composing; one that ``conf/`` gave does not."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.experiments.adopt_experiment import adopt_experiment
from commands.workspace.compose import compose
from commands.workspace.overrides import find_overrides, stop_before_loss
from stages.composing.config import compose_params, read_yaml
from stages.composing.record import forget, is_remembered, remember
from stages.shared.errors import PipelineError
from tests.support.clone import Clone, commit, make_clone

C = "task.heart.models.linear.C"
KEY = tuple(C.split("."))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_clone(tmp_path_factory.mktemp("overrides"))


@pytest.fixture
def clone(shared: Clone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """A clone with C: 0.1 in conf/ and params.yaml, in which nothing was composed."""
    monkeypatch.chdir(shared.path)
    start = shared.run("git", "rev-parse", "HEAD").stdout.strip()
    yield shared
    shared.run("git", "checkout", "-q", "--force", "-B", "master", start)
    shared.run("git", "clean", "-fdq")
    forget()


def edit_conf(clone: Clone, value: str) -> None:
    text = re.sub(r"linear: \{ C: [\d.]+ \}", f"linear: {{ C: {value} }}", clone.read(HEART))
    clone.write(HEART, text)


def set_params(clone: Clone, *overrides: str) -> None:
    """Leave ``params.yaml`` as an applied experiment with these values does."""
    clone.write("params.yaml", compose_params(overrides))


def read_params() -> dict[str, object]:
    return {".".join(key): value for key, value in find_overrides(compose_params()).values.items()}


HEART = "conf/task/heart.yaml"


def test_what_conf_gives_is_not_held(clone: Clone) -> None:
    assert read_params() == {}
    edit_conf(clone, "0.2")
    assert read_params() == {}


def test_an_edit_of_params_is_held(clone: Clone) -> None:
    clone.replace("params.yaml", "        C: 0.1", "        C: 0.5")
    assert read_params() == {C: 0.5}
    edit_conf(clone, "0.2")
    assert read_params() == {C: 0.5}
    edit_conf(clone, "0.5")
    assert read_params() == {}


def test_a_committed_experiment_is_held(clone: Clone) -> None:
    set_params(clone, f"{C}=0.5", "+task.heart.models.linear.max_iter=500")
    commit(clone, "applied")
    assert read_params() == {C: 0.5, "task.heart.models.linear.max_iter": 500}


def test_conf_may_be_edited_again_before_it_is_committed(clone: Clone) -> None:
    edit_conf(clone, "0.2")
    compose()
    edit_conf(clone, "0.3")
    assert read_params() == {}
    set_params(clone, f"{C}=0.4")
    assert read_params() == {C: 0.4}


def test_conf_that_was_committed_without_composing_is_newer(clone: Clone) -> None:
    edit_conf(clone, "0.2")
    commit(clone, "conf alone")
    edit_conf(clone, "0.3")
    assert read_params() == {}


def test_another_branch_is_no_edit(clone: Clone) -> None:
    compose()
    clone.run("git", "checkout", "-q", "-B", "other")
    edit_conf(clone, "0.2")
    set_params(clone)
    commit(clone, "other")
    edit_conf(clone, "0.3")
    assert read_params() == {}


@pytest.mark.parametrize("finish", ["commit", "no-commit"])
def test_a_merge_is_no_edit(clone: Clone, finish: str) -> None:
    clone.run("git", "checkout", "-q", "-B", "other")
    edit_conf(clone, "0.2")
    set_params(clone)
    commit(clone, "other")
    clone.run("git", "checkout", "-q", "master")
    clone.replace("conf/config.yaml", "resamples: 1000", "resamples: 900")
    set_params(clone)
    commit(clone, "master")
    clone.run("git", "merge", "-q", "--no-edit", "--no-ff", f"--{finish}", "other")
    assert read_yaml(clone.read("params.yaml"))["evaluation"]["resamples"] == 900
    edit_conf(clone, "0.3")
    assert read_params() == {}


def test_a_conflict_is_composed_away_but_not_what_only_one_side_holds(clone: Clone) -> None:
    clone.run("git", "checkout", "-q", "-B", "other")
    set_params(clone, f"{C}=0.5")
    commit(clone, "an experiment, applied")
    clone.run("git", "checkout", "-q", "master")
    edit_conf(clone, "0.2")
    set_params(clone)
    commit(clone, "master")
    assert clone.run("git", "merge", "other", check=False).returncode
    assert "<<<<<<<" in clone.read("params.yaml")
    assert read_params() == {C: 0.5}


def test_a_conflict_between_two_edits_of_conf_is_composed_away(clone: Clone) -> None:
    clone.run("git", "checkout", "-q", "-B", "other")
    edit_conf(clone, "0.5")
    set_params(clone)
    commit(clone, "other")
    clone.run("git", "checkout", "-q", "master")
    edit_conf(clone, "0.2")
    set_params(clone)
    commit(clone, "master")
    assert clone.run("git", "merge", "other", check=False).returncode
    clone.run("git", "checkout", "-q", "--theirs", HEART)
    assert "<<<<<<<" in clone.read("params.yaml")
    compose()
    assert read_yaml(clone.read("params.yaml"))["task"]["heart"]["models"]["linear"]["C"] == 0.5


def test_composing_stops_before_anything_is_written(clone: Clone) -> None:
    set_params(clone, f"{C}=0.5")
    edit_conf(clone, "0.2")
    before = clone.read("params.yaml")
    with pytest.raises(PipelineError, match=rf"{C}: 0\.2 → 0\.5\n.*adopt-experiment"):
        compose()
    assert clone.read("params.yaml") == before
    compose(discard=True)
    assert find_overrides(compose_params()).values == {}
    assert is_remembered(compose_params())


def test_adopting_writes_what_params_holds_and_nothing_else(clone: Clone) -> None:
    set_params(clone, f"{C}=0.5", "model.forest.n_estimators=120", "evaluation.bins=5",
               "source=published", "task.housing.source=sample", "encoder.minilm.epochs=2",
               "task.heart.split.seed=7", "~task.sentiment.models.forest.max_features")  # fmt: skip
    wanted = read_yaml(clone.read("params.yaml"))
    commit(clone, "applied")
    printed = adopt_experiment(None)
    assert read_yaml(clone.read("params.yaml")) == wanted
    assert f"{C}: 0.1 → 0.5" in printed
    changed = clone.run("git", "diff", "-U0", "conf").stdout
    assert sorted(re.findall(r"^[-+](?![-+]).*", changed, re.M)) == CHANGED
    with pytest.raises(PipelineError, match="nothing to adopt"):
        adopt_experiment(None)


def test_what_no_line_gives_is_refused_and_nothing_is_changed(clone: Clone) -> None:
    set_params(clone, "+task.heart.origin.extra=data/elsewhere.csv")
    with pytest.raises(PipelineError, match=r"task\.heart\.origin\.extra"):
        adopt_experiment(None)
    assert clone.run("git", "status", "--porcelain", "conf").stdout == ""
    stops = pytest.raises(PipelineError, match=r"task\.heart\.origin\.extra")
    with stops:
        stop_before_loss(compose_params())


def test_an_unknown_experiment_is_named(clone: Clone) -> None:
    assert clone.read(HEART)
    with pytest.raises(PipelineError, match="there is no experiment nobody; there are: none"):
        adopt_experiment("nobody")


def test_a_value_that_a_preset_sets_is_changed_there(clone: Clone) -> None:
    clone.replace("conf/config.yaml", "- experiment: null", "- experiment: balanced")
    set_params(clone)
    commit(clone, "balanced")
    set_params(clone, "task.heart.class_weight=null")
    adopt_experiment(None)
    assert "heart: { class_weight: null }" in clone.read("conf/experiment/balanced.yaml")


def test_what_was_composed_last_is_told_from_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not is_remembered("a: 1\n")
    remember("a: 1\n")
    assert is_remembered("a: 1\n")
    assert not is_remembered("a: 2\n")


CHANGED = sorted(
    [
        "-  - source: sample # sample | published",
        "+  - source: published # sample | published",
        "-  bins: 10 # for calibration",
        "+  bins: 5 # for calibration",
        "-n_estimators: 100",
        "+n_estimators: 120",
        "+epochs: 2",
        "-  linear: { C: 0.1 }",
        "+  linear: { C: 0.5 }",
        "+split: { seed: 7 }",
        "+source: sample",
        "-  forest: { n_estimators: 200, max_features: sqrt }",
        "+  forest: { n_estimators: 200 }",
    ]
)
