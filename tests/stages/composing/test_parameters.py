"""A task's file holds what its stages declare, with the values of ``params.yaml``, and no more."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest

from stages.compose import write_tasks
from stages.composing.config import read_yaml
from stages.composing.declared import list_items
from stages.composing.parameters import render_parameters
from stages.composing.pipeline import list_stages, read_declared, render_tasks
from stages.runner.declare import COMPOSED, At, Params, Stage, find_params, lookup
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


def test_every_declared_key_has_the_value_of_params(params: Any) -> None:
    found = {path.stem: read_yaml(text) for path, text in render_tasks(params).items()}
    for stage in list_stages():
        for item in list_items(stage, read_declared(params)):
            for template in stage.params.list_keys().values():
                key = template.format(**item)
                assert lookup(found[item["task"]], key) == lookup(params, key), (stage.verb, key)


def test_no_value_of_another_task_or_of_no_stage_is_there(params: Any) -> None:
    for path, text in render_tasks(params).items():
        content = read_yaml(text)
        assert set(content["task"]) == {path.stem}
        assert not {"report", "promotion", "source"} & set(content)  # what only commands read
        assert dict(list_leaves(content)).items() <= dict(list_leaves(params)).items()


def test_another_task_changes_no_file_but_its_own(params: Any) -> None:
    before = render_tasks(params)
    params["task"]["heart"]["cv"]["folds"] = 17
    after = render_tasks(params)
    assert [path.stem for path in after if after[path] != before[path]] == ["heart"]


class Both(Params):
    part: Annotated[Any, At("task.{task}.models.linear")]
    whole: Annotated[Any, At("task.{task}.models")]


def test_a_whole_that_is_declared_after_its_part_is_kept(params: Any) -> None:
    stage = Stage(verb="fetch", desc="", params=Both)
    text = render_parameters([stage], read_declared(params), params)[COMPOSED / "heart.yaml"]
    assert read_yaml(text)["task"]["heart"]["models"] == params["task"]["heart"]["models"]


def test_the_file_of_a_task_that_is_gone_is_removed(
    params: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = render_tasks(params)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.compose.render_tasks", lambda _: texts)
    stale = COMPOSED / "fruit.yaml"
    stale.parent.mkdir(parents=True)
    stale.write_text("task: {}\n", encoding="utf-8")
    write_tasks(params)
    assert {path.name for path in COMPOSED.iterdir()} == {f"{task}.yaml" for task in params["task"]}
    assert find_params("heart") == COMPOSED / "heart.yaml"
    assert find_params("fruit") == Path("params.yaml")  # which says that there is no such task
