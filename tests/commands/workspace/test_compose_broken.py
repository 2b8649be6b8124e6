"""One draft that does not hold stops no other task."""

import shutil
from pathlib import Path

import pytest

from commands.workspace import compose as command
from commands.workspace.compose import compose
from commands.workspace.prune import find_tasks
from stages.compose import check
from stages.composing.broken import find_broken
from stages.shared.errors import PipelineError
from tests.support.clone import ROOT

BAD = {
    "no YAML": "title: [",
    "a wrong key": "title: Bad\nmetrik: x\n",
    "a formula that is none": "class",
    "a source that is none of its own": "published",
}
LINKED = ("stages", "serve", "requirements.lock", "requirements-torch.lock")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the task heart alone, composed."""
    for name in LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    for name in ("housing", "sentiment"):
        (tmp_path / "conf/task" / f"{name}.yaml").unlink()
    for path in (tmp_path / "conf/search").iterdir():
        path.unlink()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "stop_before_loss", lambda _: None)
    monkeypatch.setattr(command, "remember", lambda _: None)
    monkeypatch.setattr(command, "resolve_lock", list)


def write_bad(kind: str) -> None:
    text = Path("conf/task/heart.yaml").read_text(encoding="utf-8")
    bad = {
        "a formula that is none": text.replace("expression: num > 0", "expression: class"),
        "a source that is none of its own": text.replace("published: ", "elsewhere: ")
        + "source: published\n",
    }
    Path("conf/task/bad.yaml").write_text(bad.get(kind, BAD[kind]), encoding="utf-8")


@pytest.mark.parametrize("kind", BAD)
def test_a_task_that_does_not_hold_is_found_alone(kind: str) -> None:
    write_bad(kind)
    reasons = find_broken(["heart", "bad"])
    assert list(reasons) == ["bad"]
    assert reasons["bad"].startswith("conf/task/bad.yaml")


def test_a_task_that_is_asked_for_composes_beside_a_bad_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_bad("a formula that is none")
    with pytest.raises(PipelineError, match=r"conf/task/bad.yaml") as refusal:
        compose()
    assert "repro export@heart" in str(refusal.value)
    assert not Path("dvc.yaml").exists()
    with pytest.raises(PipelineError, match=r"conf/task/bad\.yaml"):
        compose(wanted=["bad"])
    compose(wanted=["heart"])
    assert "conf/task/bad.yaml is left out: conf/task/bad.yaml" in capsys.readouterr().err
    check()
    assert "left out: conf/task/bad.yaml" in capsys.readouterr().out
    stages = Path("dvc.yaml").read_text(encoding="utf-8")
    assert "heart" in stages
    assert "conf/task/bad" not in stages
    assert "data/prepared/bad" not in stages


def test_a_sound_task_that_is_not_composed_is_told_of_by_the_guard() -> None:
    compose()
    shutil.copyfile("conf/task/heart.yaml", "conf/task/heart2.yaml")
    with pytest.raises(PipelineError, match=r"conf/menu.yaml is out of date"):
        check()


def test_a_source_that_a_task_lacks_is_answered_with_its_sources() -> None:
    path = Path("conf/task/heart.yaml")
    path.write_text(path.read_text().replace("published: ", "elsewhere: "))
    settings = Path("conf/config.yaml")
    settings.write_text(settings.read_text().replace("source: sample", "source: published"))
    with pytest.raises(PipelineError) as refusal:
        compose()
    assert "none of its sources: sample, elsewhere" in str(refusal.value)
    assert "`published: ${.sample}`" in str(refusal.value)


def test_stages_belong_to_the_task_they_name() -> None:
    stages = ["train@heart-linear", "evaluate-housing", "prepare@a-b"]
    assert find_tasks(stages, ["heart", "housing", "sentiment", "a-b"]) == [
        "heart",
        "housing",
        "a-b",
    ]
    assert find_tasks(["export@heart2"], ["heart", "heart2"]) == ["heart2"]
