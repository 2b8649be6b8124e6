"""What does not hold together is refused, with file, key and value, and nothing is written."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from commands.workspace.prune import stage_names
from stages.composing.config import compose_params, read_yaml
from stages.composing.dvcfile import LOCKS
from stages.composing.pipeline import render_pipeline
from tests.support.clone import ROOT, Clone, make_clone

COMPOSED = ("conf/menu.yaml", "conf/libraries.yaml", "params.yaml", "dvc.yaml")
BROKEN = {
    "unknown key": (
        "conf/task/heart.yaml", "metric: roc_auc", "metrik: roc_auc",
        ["conf/task/heart.yaml", "metrik: unknown key", "'roc_auc'"],
    ),
    "wrong type": (
        "conf/task/heart.yaml", "repeats: 3", "repeats: three",
        ["conf/task/heart.yaml", "cv.repeats", "'three'"],
    ),
    "number in quotes": (
        "conf/contract.yaml", "seed: 42, validation", 'seed: "42", validation',
        ["split.seed", "valid integer", "'42'"],
    ),
    "range turned round": (
        "conf/task/heart.yaml", "range: [80, 700]", "range: [700, 80]",
        ["columns.chol", "range must be [lowest, highest]"],
    ),
    "category without values": (
        "conf/task/heart.yaml", "type: category, values: [3, 6, 7]", "type: category",
        ["columns.thal", "values are listed for a category"],
    ),
    "model that does not exist": (
        "conf/task/heart.yaml", "  forest:", "  jungle:",
        ["conf/task/heart.yaml", "models.jungle has no conf/model/jungle.yaml", "forest"],
    ),
    "argument that the estimator does not take": (
        "conf/model/xgboost.yaml", "max_depth", "depth",
        ["models.xgboost", "depth = 7 is no argument of xgboost.XGBClassifier", "max_depth"],
    ),
    "target among the columns": (
        "conf/task/heart.yaml", "expression: num > 0", "expression: age > 50",
        ["conf/task/heart.yaml", "['age'] would tell the target"],
    ),
    "formula that is not arithmetic": (
        "conf/task/housing.yaml", "total_rooms / households", "__import__('os')",
        ["conf/task/housing.yaml", "is not allowed; a formula holds"],
    ),
    "rule that does not exist": (
        "conf/task/heart.yaml", "metric: roc_auc", "metric: roc_auc\nchecks: { rang: warn }",
        ["conf/task/heart.yaml: checks.rang = 'warn'", "no such rule", "range", "sentinel"],
    ),
    "rule of a column that does not exist": (
        "conf/task/heart.yaml", "unit: years,", "unit: years, checks: { nulls: off },",
        ["conf/task/heart.yaml: columns.age.checks.nulls = 'off'", "no such rule", "missing"],
    ),
    "verdict that does not exist": (
        "conf/task/heart.yaml", "metric: roc_auc", "metric: roc_auc\nchecks: { range: ignore }",
        ["conf/task/heart.yaml", "checks.range", "'error', 'warn' or 'off'", "'ignore'"],
    ),
    "source that is not listed": (
        "conf/config.yaml", "source: sample", "source: elsewhere", ["elsewhere"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_clone(tmp_path_factory.mktemp("compose"))


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_configuration_is_refused(
    clone: Clone, case: tuple[str, str, str, list[str]]
) -> None:
    path, old, new, words = case
    before = {name: clone.read(name) for name in COMPOSED}
    clone.replace(path, old, new)
    done = clone.run("python", "-m", "commands", "compose", check=False)
    clone.run("git", "checkout", "-q", ".")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert {name: clone.read(name) for name in COMPOSED} == before


def test_the_committed_files_are_what_conf_gives(clone: Clone) -> None:
    clone.compose()
    assert clone.run("git", "status", "--porcelain").stdout == ""


def test_every_declared_library_is_pinned_in_the_lock() -> None:
    libraries = YAML(typ="safe").load((ROOT / "conf/libraries.yaml").read_text())["libraries"]
    lock = "".join((ROOT / name).read_text() for name in LOCKS)
    for name, version in libraries.items():
        assert re.search(rf"^{re.escape(name)}=={re.escape(version)} ", lock, re.M), name


def test_a_plotting_library_is_declared_by_no_stage_that_fits() -> None:
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    ((path, keys),) = stages["train"]["do"]["params"][0].items()
    assert path == "data/composed/${item.task}.yaml"
    assert "libraries.scikit-learn" in keys
    assert not [name for name in keys if "vl-convert" in name]


def test_each_stage_has_a_description() -> None:
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    assert all((body.get("do") or body).get("desc") for body in stages.values())


def test_stage_names_are_spelled_as_dvc_spells_them(clone: Clone) -> None:
    pipeline = YAML(typ="safe").load(clone.read("dvc.yaml"))
    listed = clone.run("dvc", "stage", "list", "--name-only").stdout.split()
    assert stage_names(pipeline) == set(listed)


@pytest.mark.parametrize("preset", sorted((ROOT / "conf/experiment").glob("*.yaml")))
def test_every_preset_composes_and_changes_something(
    preset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    params = compose_params([f"experiment={preset.stem}"])
    assert render_pipeline(read_yaml(params)) == Path("dvc.yaml").read_text()
    assert params != Path("params.yaml").read_text()


def test_the_lock_names_no_host() -> None:
    for name in (*LOCKS, "requirements-torch-cpu.lock", "pyproject.toml", "Makefile", ".ci/run"):
        assert not re.search(r"https?://(?!127)", Path(ROOT, name).read_text()), name
