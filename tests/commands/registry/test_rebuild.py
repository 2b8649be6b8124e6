"""The registry's commands in a real repository: register what DVC made, and make it again."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from commands.registry import rebuild
from commands.registry.store import registry
from stages.shared.errors import PipelineError
from tests.support.clone import Clone, commit


def command(clone: Clone, *words: str, check: bool = True) -> str:
    done = clone.run(sys.executable, "-m", "commands", *words, check=check)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def registered(pipeline: Clone) -> Clone:
    """The pipeline's clone, with the model of heart registered and promoted, and no other log."""
    shutil.rmtree(pipeline.path / "data/registry", ignore_errors=True)
    pipeline.run("git", "add", "-A")
    pipeline.run("git", "commit", "-qm", "no moves yet", "--allow-empty", "--no-verify")
    command(pipeline, "register", "heart")
    command(pipeline, "promote", "heart", "--by", "ada", "--why", "the first one")
    return pipeline


def test_a_run_has_pictures_of_the_plots(registered: Clone) -> None:
    folder = registered.path / "data/registry/artifacts/heart"
    (plots,) = {path.parent for path in folder.glob("*/artifacts/plots/*.png")}
    drawn = {path.stem for path in plots.glob("*.png")}
    assert drawn == {path.stem for path in plots.glob("*.json")}
    assert "confusion" in drawn
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in plots.glob("*.png"))


def test_git_sees_the_log_of_moves_and_nothing_else(registered: Clone) -> None:
    assert registered.run("git", "status", "--porcelain", "-uall").stdout == (
        "?? data/registry/heart.jsonl\n"
    )


def test_pulling_the_champion_changes_nothing_for_dvc(registered: Clone) -> None:
    command(registered, "pull", "heart@champion")
    note = json.loads(registered.read("models/heart/registered.json"))
    head = registered.run("git", "rev-parse", "HEAD").stdout.strip()
    assert (note["version"], note["alias"], note["commit"]) == ("1", "champion", head)
    assert registered.repro() == set()


def test_a_model_that_is_out_of_date_is_not_registered(registered: Clone) -> None:
    path = Path("models/heart/README.md")
    before = registered.read(str(path))
    registered.write(str(path), "changed by hand")
    told = command(registered, "register", "heart", check=False)
    registered.write(str(path), before)
    assert "models/heart is out of date (export@heart changed)" in told


def test_a_registered_model_is_made_again_equal(registered: Clone) -> None:
    told = command(registered, "rebuild", "heart@champion")
    assert "all equal" in told


def test_what_differs_is_named(registered: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dvc.lock that was committed with a hash that no run gives.

    What a run gives, the test before this one has shown: it is not made once more.
    """
    before = registered.read("dvc.lock")
    stage = before.index("  export@heart:")
    place = before.index("md5: ", before.index("outs:", stage)) + len("md5: ")
    registered.write("dvc.lock", before[:place] + "0" * 32 + before[place + 32 :])
    commit(registered, "a hash that no run gives")
    head = registered.run("git", "rev-parse", "HEAD").stdout.strip()
    monkeypatch.chdir(registered.path)
    with registry() as store:
        store.client.set_model_version_tag("heart", "1", "mlflow.source.git.commit", head)

    def run_stages(copy: Path, task: str) -> set[str]:
        (copy / "dvc.lock").write_text(before, encoding="utf-8")
        return {f"export@{task}"}

    monkeypatch.setattr(rebuild, "run_stages", run_stages)
    with pytest.raises(PipelineError, match=r"these outputs differ:\n") as caught:
        rebuild.rebuild("heart", "1")
    actual = before[place : place + 32]
    assert str(caught.value).splitlines()[1:] == [
        f"  export@heart: models/heart: {'0' * 32}.dir, now {actual}.dir"
    ]
