"""Registering, promoting, rolling back and pulling, on a local store; and kills in between."""

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from alembic.runtime.migration import HeadMaintainer
from dvc.repo import Repo

from commands.registry import history, register
from commands.registry.audit_log import FOLDER, AuditLog
from commands.registry.promote import promote
from commands.registry.pull import pull
from commands.registry.rollback import rollback
from commands.registry.store import CHALLENGER, CHAMPION, local_uri, mask_address, registry
from serve.runtime.errors import RequestError
from serve.runtime.load import load_model
from stages.shared.errors import PipelineError
from stages.shared.storage import read_json
from tests.support.registry_fixtures import (
    TASK,
    WORKSPACE,
    Killed,
    Killer,
    killed_at,
    retitle,
    spoil,
)

MODELS = Path("models")


def versions() -> list[Any]:
    with registry() as store:
        return sorted(
            store.client.search_model_versions(f"name = '{TASK}'"),
            key=lambda model: int(model.version),
        )


def alias(name: str) -> str | None:
    with registry() as store:
        found = store.version_at_alias(TASK, name)
        return str(found.version) if found else None


def all_runs() -> list[Any]:
    with registry() as store:
        return list(store.client.search_runs([store.experiment(TASK)]))


def first_champion() -> None:
    register.register(TASK)
    promote(TASK, "ada", "the first one")


def two_champions(world: Path) -> None:
    """Promote a bad model, then the good one, which is better."""
    good = {path: path.read_bytes() for path in world.glob("models/demo/*")}
    kept = [*world.glob("data/evaluated/demo/*.j*"), *world.glob("data/candidates/demo/*/*.joblib")]
    good |= {path: path.read_bytes() for path in kept}
    spoil(world)
    first_champion()
    shutil.rmtree(world / "models/demo")
    (world / "models/demo").mkdir()
    for path, content in good.items():
        path.write_bytes(content)
    register.register(TASK)
    promote(TASK, "bob", "it is better")


def kept_by_dvc(world: Path, remote: Path) -> str:
    """Make the world a DVC repository whose cache and remote have the model; return its hash."""
    Repo.init(str(world), no_scm=True).close()
    config = (
        f"[core]\n    remote = there\n    no_scm = true\n['remote \"there\"']\n    url = {remote}\n"
    )
    (world / ".dvc/config").write_text(config)
    with Repo(str(world)) as repo:
        (stage,) = repo.add(str(world / "models" / TASK))
        repo.push()
        return str(stage.outs[0].hash_info.value)


# Register


def test_the_same_content_is_the_same_version_and_run(world: Path) -> None:
    for _ in range(2):
        register.register(TASK)
    assert [str(model.version) for model in versions()] == ["1"]
    assert len(all_runs()) == 1
    retitle(world, "Another title")
    register.register(TASK)
    assert [str(model.version) for model in versions()] == ["1", "2"]
    assert alias(CHALLENGER) == "2"


def test_a_damaged_export_is_not_registered(world: Path) -> None:
    (path,) = world.glob("models/demo/*.onnx")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(PipelineError, match="cannot be registered"):
        register.register(TASK)
    assert versions() == []


def test_a_server_that_is_down_costs_nothing(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in world.glob("models/demo/*")}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9")
    with pytest.raises(PipelineError, match=r"http://127.0.0.1:9 .* cannot be reached") as caught:
        register.register(TASK)
    assert "secret" not in str(caught.value)
    assert {path: path.read_bytes() for path in world.glob("models/demo/*")} == before
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    register.register(TASK)
    assert alias(CHALLENGER) == "1"


@pytest.mark.usefixtures("world")
def test_a_registered_model_answers_in_mlflow_exactly_as_the_service() -> None:
    register.register(TASK)
    model = load_model(MODELS / TASK)
    answered, answers = [], []
    for golden in model.manifest.golden:
        with suppress(RequestError):  # some are what a service refuses
            answers.append(model.predict_one(golden.input))
            answered.append(golden.input)
    assert len(answered) > 4
    numbers = dict.fromkeys(("dose", "weight <kg>", "count", "grade"), "float64")
    frame = pd.DataFrame(answered).astype(numbers)
    loaded = mlflow.pyfunc.load_model(f"models:/{TASK}@{CHALLENGER}")
    assert loaded.predict(frame) == answers
    with pytest.raises(ValueError, match="'dose'"):
        loaded.predict(frame.assign(dose=1e12))


# Promote


@pytest.mark.usefixtures("world")
def test_the_first_model_becomes_champion_and_the_log_says_why() -> None:
    first_champion()
    assert alias(CHAMPION) == "1"
    (transition,) = AuditLog(TASK).transitions()
    assert (transition.kind, transition.before, transition.version, transition.by) == (
        "promote",
        None,
        "1",
        "ada",
    )
    assert transition.verdict is not None
    assert transition.verdict["verdict"] == "first"


def test_a_better_challenger_is_promoted(world: Path) -> None:
    two_champions(world)
    assert alias(CHAMPION) == "2"
    verdict = AuditLog(TASK).transitions()[-1].verdict
    assert verdict is not None
    assert verdict["verdict"] == "better"
    assert verdict["comparisons"][0]["metric"] == "roc_auc"
    assert verdict["comparisons"][0]["low"] > 0


@pytest.mark.parametrize(
    ("change", "verdict"),
    [(spoil, "worse"), (lambda root: retitle(root, "the same again"), "not worse")],
)
def test_a_challenger_that_is_not_better_is_not_promoted(
    world: Path, change: Callable[[Path], None], verdict: str
) -> None:
    first_champion()
    change(world)
    register.register(TASK)
    with pytest.raises(PipelineError, match=f"the verdict is '{verdict}'"):
        promote(TASK, "ada", "hope")
    assert alias(CHAMPION) == "1"
    assert len(AuditLog(TASK).transitions()) == 1


def test_scores_on_other_rows_are_refused(world: Path) -> None:
    register.register(TASK)
    path = world / "data/prepared/demo/test.parquet"
    path.write_bytes((world / "data/prepared/demo/train.parquet").read_bytes())
    with pytest.raises(PipelineError, match="not what the challenger was tested on"):
        promote(TASK, "ada", "why not")
    assert alias(CHAMPION) is None


def test_an_alias_that_was_moved_without_the_log_is_told(world: Path) -> None:
    first_champion()
    retitle(world, "Another title")
    register.register(TASK)
    with registry() as store:
        store.set_alias(TASK, CHAMPION, "2")
    with pytest.raises(PipelineError, match="has version 2 as champion"):
        history.verify(AuditLog(TASK))


# Roll back and pull


def test_a_rollback_restores_the_bytes_and_the_alias(world: Path) -> None:
    two_champions(world)
    rollback(TASK, "eve", "complaints")
    assert alias(CHAMPION) == "1"
    assert load_model(MODELS / TASK).registered.model_dump() == {  # type: ignore[union-attr]
        "name": TASK,
        "version": "1",
        "alias": CHAMPION,
        "commit": "a" * 40,
    }
    manifest = (MODELS / TASK / "manifest.json").read_bytes()
    assert hashlib.sha256(manifest).hexdigest() == AuditLog(TASK).transitions()[0].content
    with pytest.raises(PipelineError, match="no champion of demo before"):
        rollback(TASK, "eve", "more complaints")


def test_a_model_whose_files_were_changed_never_becomes_champion(world: Path) -> None:
    two_champions(world)
    files = [*world.glob("data/registry/artifacts/**/data/demo/*.onnx")]
    assert len(files) == 2
    for path in files:
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    served = (MODELS / TASK / "manifest.json").read_bytes()
    with pytest.raises(PipelineError, match="was changed after its export"):
        rollback(TASK, "eve", "complaints")
    assert alias(CHAMPION) == "2"
    assert len(AuditLog(TASK).transitions()) == 2
    assert (MODELS / TASK / "manifest.json").read_bytes() == served


@pytest.mark.parametrize("is_pushed", [False, True], ids=["cache", "remote"])
def test_files_that_mlflow_lost_come_from_dvc(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_pushed: bool
) -> None:
    out = kept_by_dvc(world, tmp_path / "remote")
    if is_pushed:
        shutil.rmtree(world / ".dvc/cache")
    monkeypatch.setattr(register, "read_workspace", lambda _: replace(WORKSPACE, out=out))
    first_champion()
    expected = {path.name: path.read_bytes() for path in (MODELS / TASK).iterdir()}
    shutil.rmtree(world / "data/registry/artifacts")
    shutil.rmtree(MODELS / TASK)
    pull(TASK, CHAMPION, MODELS)
    found = {path.name: path.read_bytes() for path in (MODELS / TASK).iterdir()}
    assert found.pop("registered.json")
    assert found == expected
    shutil.rmtree(tmp_path / "remote")
    shutil.rmtree(world / ".dvc/cache")
    with pytest.raises(PipelineError, match=rf"(?s)MLflow: .*DVC: .*{out}"):
        pull(TASK, CHAMPION, MODELS)
    assert load_model(MODELS / TASK)


@pytest.mark.usefixtures("world")
def test_a_pulled_model_replaces_what_was_there(tmp_path: Path) -> None:
    first_champion()
    stale = tmp_path / "served" / TASK / "model-0.onnx"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of another model")
    pull(TASK, CHAMPION, tmp_path / "served")
    model = load_model(tmp_path / "served" / TASK)
    assert model.manifest == load_model(MODELS / TASK).manifest
    assert not stale.exists()
    pull(TASK, "1", tmp_path / "served")
    registered = load_model(tmp_path / "served" / TASK).registered
    assert registered is not None
    assert registered.alias is None


@pytest.mark.usefixtures("world")
def test_an_unknown_version_is_told() -> None:
    for name in ("7", "champion"):
        with pytest.raises(PipelineError, match=f"has no demo@{name}"):
            pull(TASK, name, MODELS)


# Kills


def until_done(work: Callable[[], None]) -> list[str]:
    """Kill at the first moment, run again and kill at the second, and so on; return them all."""
    moments = []
    for moment in range(1, 200):
        with killed_at(moment):
            try:
                work()
            except Killed as kill:
                moments.append(str(kill))
                continue
        return moments
    raise AssertionError("there is no end to it")


def assert_whole() -> None:
    """Nothing is there twice, and log and alias agree."""
    runs = all_runs()
    assert len({run.data.tags["content"] for run in runs}) == len(runs)
    found = versions()
    assert len({run.tags["content"] for run in found}) == len(found)
    with registry() as store:
        models = store.client.search_logged_models([store.experiment(TASK)])
    assert len({model.tags["content"] for model in models}) == len(models)
    last = AuditLog(TASK).last()
    assert alias(CHAMPION) == (last.version if last else None)


@pytest.mark.usefixtures("world")
def test_registering_survives_a_kill_at_any_moment() -> None:
    moments = until_done(lambda: register.register(TASK))
    assert len(moments) > 15
    assert_whole()
    (run,) = all_runs()
    assert run.info.status == "FINISHED"
    with registry() as store:
        history = store.client.get_metric_history(run.info.run_id, "train.loss")
    assert [point.step for point in history] == [50, 100]
    assert len(versions()) == 1
    assert alias(CHALLENGER) == "1"


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("moment", range(1, 5))
def test_a_promotion_survives_a_kill_at_any_moment(moment: int) -> None:
    register.register(TASK)
    with killed_at(moment), pytest.raises(Killed):
        promote(TASK, "ada", "the first one")
    promote(TASK, "ada", "the first one")
    history.verify(AuditLog(TASK))
    assert alias(CHAMPION) == "1"
    assert len(AuditLog(TASK).transitions()) == 1
    assert_whole()


def test_a_rollback_survives_a_kill_at_any_moment(world: Path) -> None:
    two_champions(world)
    moment = 0
    while alias(CHAMPION) != "1" or AuditLog(TASK).transitions()[-1].kind != "rollback":
        moment += 1
        with killed_at(moment), pytest.raises(Killed):
            rollback(TASK, "eve", "complaints")
        history.verify(AuditLog(TASK))
        assert_whole()
        load_model(MODELS / TASK)
    assert len(AuditLog(TASK).transitions()) == 3


def test_a_rollback_that_was_killed_is_finished_and_not_followed_by_a_second(world: Path) -> None:
    """A second one would find no champion to go back to: there were two so far."""
    two_champions(world)
    before, moment, killed = AuditLog(TASK).path.read_bytes(), 0, True
    while killed:
        moment += 1
        AuditLog(TASK).path.write_bytes(before)
        with registry() as store:
            store.set_alias(TASK, CHAMPION, "2")
        pull(TASK, "2", MODELS)
        with killed_at(moment) as killer, suppress(Killed):
            rollback(TASK, "eve", "complaints")
        killed = len(killer.seen) == moment
        if alias(CHAMPION) == "2":
            rollback(TASK, "eve", "complaints")
        assert alias(CHAMPION) == "1"
        assert [change.kind for change in AuditLog(TASK).transitions()][2:] == ["rollback"]
        assert read_json(MODELS / TASK / "registered.json")["version"] == "1"
    assert moment > 8


@pytest.mark.parametrize("steps", [1, 10, 30])
def test_a_kill_while_tables_are_made_leaves_a_store_that_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    killer = Killer(steps)
    update = HeadMaintainer.update_to_step
    with monkeypatch.context() as patch:
        patch.setattr(
            HeadMaintainer, "update_to_step", lambda *args: (killer("step"), update(*args))
        )
        with pytest.raises(Killed), registry():
            pass
    with registry() as store:
        assert [experiment.name for experiment in store.client.search_experiments()] == ["Default"]
    assert [path.name for path in FOLDER.iterdir()] == ["mlflow.db"]


def test_no_kill_leaves_the_service_without_a_whole_model(world: Path) -> None:
    two_champions(world)
    for moment in range(1, 40):
        with killed_at(moment):
            try:
                pull(TASK, "1", MODELS)
            except Killed:
                load_model(MODELS / TASK)
                continue
        break
    assert moment > 8
    assert read_json(MODELS / TASK / "registered.json")["version"] == "1"


def test_the_local_address_is_absolute(world: Path) -> None:
    assert local_uri() == f"sqlite:///{world}/data/registry/mlflow.db"


def test_an_address_is_shown_without_its_secrets() -> None:
    assert mask_address("http://me:pass@host:5000/x?token=1") == "http://host:5000/x"
    assert mask_address("postgresql://me:p%2Fs@/db?host=/tmp") == "postgresql:///db"
