"""DVC is shown the stages of the tasks that are asked for, and of each the same as otherwise."""

from typing import Any

import pytest
from dvc.dvcfile import FileMixin
from dvc.parsing.context import Context
from dvc.repo import Repo
from ruamel.yaml import YAML

from commands.workspace.scheduling.selection import (
    cut_params,
    cut_stages,
    find_owners,
    show_tasks_of,
)
from tests.support.clone import ROOT

PIPELINE = """\
stages:
  compose:
    cmd: guard
  fetch:
    foreach: [tea, tea-time, wine]
    do:
      cmd: fetch ${item}
  prepare:
    foreach:
      tea:
        source: ${task.tea.path}
      wine:
        source: ${task.wine.path}
    do:
      cmd: prepare ${key}
      deps:
        - ${item.source}
  train:
    foreach:
      tea-linear: {task: tea}
      wine-linear: {task: wine}
    do:
      cmd: train ${item.task}
  fine_tune:
    foreach:
      wine-minilm: {task: wine}
    do:
      cmd: fine_tune ${item.task}
  evaluate-tea:
    cmd: evaluate tea
  evaluate-wine:
    cmd: evaluate wine

plots:
  - wine.json:
      title: Wine
"""
PARAMS = """\
device: cpu
task:
  tea:
    path: tea.csv
  wine:
    path: wine.csv
model:
  wine: {}
"""


def keep_tea(stage: str) -> bool:
    return "wine" not in stage


def test_a_name_that_begins_with_another_tasks_name_may_be_of_both() -> None:
    tasks = {"tea", "tea-time", "wine"}
    assert list(find_owners("train@tea-time-linear", tasks)) == ["tea", "tea-time"]
    assert list(find_owners("evaluate-wine", tasks)) == ["wine"]
    assert list(find_owners("train@wines", tasks)) == []
    assert list(find_owners("compose", tasks)) == []


def test_the_stages_of_other_tasks_and_all_plots_are_cut_out() -> None:
    found = YAML(typ="safe").load(cut_stages(PIPELINE, keep_tea))["stages"]
    assert list(found) == ["compose", "fetch", "prepare", "train", "evaluate-tea"]
    assert found["fetch"]["foreach"] == ["tea", "tea-time"]
    assert list(found["prepare"]["foreach"]) == ["tea"]
    assert list(found["train"]["foreach"]) == ["tea-linear"]
    assert found["prepare"]["do"]["deps"] == ["${item.source}"]


def test_the_parameters_of_other_tasks_are_cut_out_and_no_model() -> None:
    found = YAML(typ="safe").load(cut_params(PARAMS, keep_tea))
    assert found == {"device": "cpu", "task": {"tea": {"path": "tea.csv"}}, "model": {"wine": {}}}


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """This repository; what is patched of DVC is put back afterwards."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(FileMixin, "_load_yaml", FileMixin._load_yaml)
    monkeypatch.setattr(Context, "load_from", Context.load_from)


def read_stages() -> dict[str, Any]:
    """Return each stage as DVC resolves it, and what it has from ``dvc.lock``."""
    return {
        stage.addressing: (stage.cmd, [(str(file), file.hash_info) for file in stage.deps])
        for stage in Repo().index.stages
    }


@pytest.mark.usefixtures("repository")
def test_of_this_repository_one_task_is_shown_as_it_is() -> None:
    every = read_stages()
    show_tasks_of(["export@heart"])
    assert read_stages() == {
        name: found for name, found in every.items() if "heart" in name or name == "compose"
    }


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("targets", [[], ["train"], ["export@heart", "models/housing"]])
def test_everything_is_shown_where_a_target_is_no_stage_of_one_task(targets: list[str]) -> None:
    before = FileMixin._load_yaml
    show_tasks_of(targets)
    assert FileMixin._load_yaml is before
