"""``data/composed`` holds what each stage declares and what it runs, and no more."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest

from stages.compose import write_stages
from stages.composing.config import read_yaml
from stages.composing.declared import list_items
from stages.composing.parameters import render_code, render_parameters
from stages.composing.pipeline import list_stages, read_declared, render_stages
from stages.runner.declare import COMPOSED, At, Params, Stage, lookup
from tests.support.clone import ROOT


@pytest.fixture
def params(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(ROOT)
    return read_yaml(Path("params.yaml").read_text(encoding="utf-8"))


def list_leaves(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict) and content:
        for part, value in content.items():
            yield from list_leaves(value, f"{key}.{part}".lstrip("."))
    else:
        yield key, content


def render_own(params: Any) -> dict[Path, Any]:
    """Return what each stage's own file holds."""
    texts = render_parameters(list_stages(), read_declared(params), params)
    return {path: read_yaml(text) for path, text in texts.items()}


def test_a_stage_finds_the_keys_that_it_declares_and_no_other(params: Any) -> None:
    found = render_own(params)
    for stage in list_stages():
        for item in list_items(stage, read_declared(params)):
            content = found[Path(stage.format_params(item))]
            keys = {template.format(**item) for template in stage.params.list_keys().values()}
            for key in keys:
                assert lookup(content, key) == lookup(params, key), (stage.verb, key)
            rest = {key for key, _ in list_leaves(content)}
            rest -= {key for key in rest for own in keys if f"{key}.".startswith(f"{own}.")}
            assert all(key.startswith("libraries.") for key in rest)
            assert len(rest) <= 1


def test_a_value_changes_the_files_of_the_stages_that_declare_it(params: Any) -> None:
    before = render_stages(params)
    params["task"]["heart"]["models"]["linear"]["C"] = 17
    after = render_stages(params)
    changed = {path.as_posix() for path in after if after[path] != before[path]}
    assert changed == {"data/composed/heart/train-linear.yaml"}


def test_code_and_libraries_are_listed_by_hash_and_version(params: Any) -> None:
    listed = read_yaml(render_stages(params)[COMPOSED / "train.yaml"])
    content = Path("stages/train.py").read_bytes()
    assert listed["code"]["stages/train.py"] == hashlib.md5(content).hexdigest()
    assert listed["libraries"]["scikit-learn"] == params["libraries"]["scikit-learn"]
    assert "stages/validate.py" not in listed["code"]
    assert "xgboost" not in listed["libraries"]  # of one family, so among its own parameters


def test_an_edit_of_code_changes_the_lists_of_the_stages_that_run_it(
    params: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stages, declared = list_stages(), read_declared(params)
    before = render_code(stages, declared, params)
    shutil.copytree("stages", tmp_path / "stages")
    shutil.copytree("serve", tmp_path / "serve")
    monkeypatch.chdir(tmp_path)
    with Path("stages/preparing/parsing.py").open("a") as file:
        file.write("# changed\n")
    after = render_code(stages, declared, params)
    assert {path.stem for path in after if after[path] != before[path]} == {"prepare"}


class Both(Params):
    part: Annotated[Any, At("task.{task}.models.linear")]
    whole: Annotated[Any, At("task.{task}.models")]


def test_a_whole_that_is_declared_after_its_part_is_kept(params: Any) -> None:
    stage = Stage(verb="fetch", desc="", params=Both)
    texts = render_parameters([stage], read_declared(params), params)
    text = texts[COMPOSED / "heart/fetch.yaml"]
    assert read_yaml(text)["task"]["heart"]["models"] == params["task"]["heart"]["models"]


def test_the_files_of_a_task_that_is_gone_are_removed(
    params: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = render_stages(params)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.compose.render_stages", lambda _: texts)
    stale = COMPOSED / "fruit/train-linear.yaml"
    stale.parent.mkdir(parents=True)
    stale.write_text("task: {}\n", encoding="utf-8")
    write_stages(params)
    assert {path.name for path in COMPOSED.iterdir() if path.is_dir()} == set(params["task"])
    fetch = next(stage for stage in list_stages() if stage.verb == "fetch")
    assert fetch.find_params({"task": "heart"}) == COMPOSED / "heart/fetch.yaml"
    assert fetch.find_params({"task": "fruit"}) == Path("params.yaml")  # where no guard has run
