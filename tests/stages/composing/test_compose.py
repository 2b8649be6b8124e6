"""What does not hold together is refused, with file, key and value, and nothing is written."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from commands.workspace.prune import list_stage_names
from stages.composing.config import compose_params, read_yaml
from stages.composing.files import LOCKS
from stages.composing.pipeline import render_pipeline, render_stages
from tests.support.clone import ROOT, Clone, make_clone

COMPOSED = ("conf/menu.yaml", "conf/libraries.yaml", "params.yaml", "dvc.yaml")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_clone(tmp_path_factory.mktemp("compose"))


def test_the_command_says_what_is_wrong_in_plain_words_and_writes_nothing(clone: Clone) -> None:
    """What else is refused, `test_configurations.py` tries without starting a process each time."""
    before = {name: clone.read(name) for name in COMPOSED}
    clone.replace("conf/task/heart.yaml", "metric: roc_auc", "metrik: roc_auc")
    done = clone.run("python", "-m", "commands", "compose", check=False)
    clone.run("git", "checkout", "-q", ".")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "conf/task/heart.yaml cannot be used:\n  metric: missing\n" in done.stderr
    assert "  metrik: unknown key (its value is 'roc_auc'); known are title, " in done.stderr
    assert {name: clone.read(name) for name in COMPOSED} == before


def test_the_committed_files_are_what_conf_gives(clone: Clone) -> None:
    clone.compose()
    assert clone.run("git", "status", "--porcelain").stdout == ""


def test_every_declared_library_is_pinned_in_the_lock() -> None:
    libraries = YAML(typ="safe").load((ROOT / "conf/libraries.yaml").read_text())["libraries"]
    lock = "".join((ROOT / name).read_text() for name in LOCKS)
    for name, version in libraries.items():
        assert re.search(rf"^{re.escape(name)}=={re.escape(version)} ", lock, re.M), name


def test_a_plotting_library_is_declared_by_no_stage_that_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    assert stages["train"]["do"]["deps"][0] == "data/composed/train.yaml"
    listed = render_stages(read_yaml(Path("params.yaml").read_text()))
    libraries = read_yaml(listed[Path("data/composed/train.yaml")])["libraries"]
    assert "scikit-learn" in libraries
    assert not [name for name in libraries if "vl-convert" in name]


def test_each_stage_has_a_description() -> None:
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    assert all((body.get("do") or body).get("desc") for body in stages.values())


def test_stage_names_are_spelled_as_dvc_spells_them(clone: Clone) -> None:
    pipeline = YAML(typ="safe").load(clone.read("dvc.yaml"))
    listed = clone.run("dvc", "stage", "list", "--name-only").stdout.split()
    assert list_stage_names(pipeline) == set(listed)


@pytest.mark.parametrize(
    "preset",
    sorted(
        path for group in ("experiment", "debug") for path in (ROOT / "conf" / group).glob("*.yaml")
    ),
    ids=lambda path: f"{path.parent.name}={path.stem}",
)
def test_every_preset_composes_and_changes_something(
    preset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    params = compose_params([f"{preset.parent.name}={preset.stem}"])
    assert render_pipeline(read_yaml(params)) == Path("dvc.yaml").read_text()
    assert params != Path("params.yaml").read_text()


def test_the_lock_names_no_host() -> None:
    for name in (*LOCKS, "requirements-torch-cpu.lock", "pyproject.toml", "Makefile", ".ci/run"):
        assert not re.search(r"https?://(?!127)", Path(ROOT, name).read_text()), name
