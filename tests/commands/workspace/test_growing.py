"""Tasks that come and go leave nothing behind, and change nothing of the others."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from commands.workspace.compose import compose
from commands.workspace.lockfile import LOCK, read_lock
from commands.workspace.prune import list_stage_names
from stages.runner.declare import COMPOSED
from tests.support.clone import ROOT

LINKED = ("stages", "serve", "requirements.lock", "requirements-torch.lock")
MORE = [f"copy{number}" for number in range(4)]


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This repository's configuration, composed, with every stage in ``dvc.lock``."""
    for name in LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    compose()
    LOCK.write_text("schema: '2.0'\nstages:\n")
    run_all()


def run_all() -> None:
    """Add an entry and an output for each stage that has none, as running them would."""
    pipeline = YAML(typ="safe").load(Path("dvc.yaml"))
    with LOCK.open("a") as file:
        for name in sorted(list_stage_names(pipeline)):
            if f"  {name}:\n" not in read_lock():
                out = Path("data/candidates", name)
                out.mkdir(parents=True, exist_ok=True)
                (out / "model").write_text(name)
                file.write(f"  {name}:\n    cmd: x\n    outs:\n    - path: {out}\n      md5: m\n")
                file.flush()


def read_everything() -> dict[Path, bytes]:
    """Return each file that is composed, locked or made."""
    folders = (Path("data"), Path("models"))
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {
        path: path.read_bytes() for path in [Path("dvc.yaml"), Path("params.yaml"), LOCK, *found]
    }


def test_tasks_that_come_change_nothing_of_the_others_and_leave_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = read_everything()
    for name in MORE:
        shutil.copy("conf/task/heart.yaml", f"conf/task/{name}.yaml")
    compose()
    run_all()
    grown = read_everything()
    made = [path for path in before if path.is_relative_to("data")]
    assert {path: grown[path] for path in made} == {path: before[path] for path in made}
    assert grown[LOCK].startswith(before[LOCK])
    assert (COMPOSED / "copy3/train-linear.yaml").exists()
    for name in MORE:
        Path(f"conf/task/{name}.yaml").unlink()
    compose()
    assert read_everything() == before
    assert not list(Path("data").rglob("*copy*"))
    assert "removed data/candidates/export@copy0" in capsys.readouterr().out
