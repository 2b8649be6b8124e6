"""Folders of configurations that hold and that do not: each file is one change to ``conf/``.

A file in ``invalid`` names what the message has to hold.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from commands.workspace.check_settings import check_settings
from commands.workspace.compose import compose
from stages.composing.config import compose_params, read_yaml
from stages.composing.pipeline import render_pipeline
from stages.shared.errors import PipelineError
from tests.support.clone import ROOT

FOLDER = Path(__file__).with_name("configurations")
INVALID = sorted((FOLDER / "invalid").glob("*.yaml"))
VALID = sorted((FOLDER / "valid").glob("*.yaml"))
READ = ("stages", "serve", "requirements.lock", "requirements-torch.lock")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository to change ``conf/`` in; the code is that of this one."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in READ:
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(repository: Path, case: dict[str, Any]) -> None:
    path = repository / case["file"]
    if "write" in case:
        path.write_text(case["write"])
        return
    text = path.read_text()
    assert case["replace"] in text, f"{path.name} no longer holds {case['replace']!r}"
    path.write_text(text.replace(case["replace"], case["with"], 1))


def read_contents(repository: Path) -> dict[str, bytes]:
    files = [path for path in repository.rglob("*") if path.is_file() and path.name != "stages"]
    return {path.relative_to(repository).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_a_configuration_that_does_not_hold_is_refused_and_nothing_written(
    path: Path, repository: Path
) -> None:
    case = YAML(typ="safe").load(path)
    change(repository, case)
    before = read_contents(repository)
    with pytest.raises(PipelineError) as caught:
        compose()
    for words in case["message"]:
        assert words in str(caught.value)
    assert read_contents(repository) == before


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_configuration_that_holds_is_taken(path: Path, repository: Path) -> None:
    change(repository, YAML(typ="safe").load(path))
    params = read_yaml(compose_params())
    assert render_pipeline(params)
    check_settings(params)
