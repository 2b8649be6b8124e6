"""The JSON Schema of a task's file takes what composes, and refuses what has another shape."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from stages.composing.schema import FILE, MODELINE, render_schema
from stages.contract.task import Task
from tests.stages.composing.test_configurations import INVALID, VALID
from tests.support.clone import ROOT

TASKS = sorted((ROOT / "conf/task").glob("*.yaml"))
CASES = [YAML(typ="safe").load(path) | {"id": path.stem} for path in (*INVALID, *VALID)]
JUDGED = [case for case in CASES if "schema_refuses" in case]
HOLDING = [case for case in CASES if "message" not in case and "conf/task" in case["file"]]


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads((ROOT / FILE).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def change_task(case: dict[str, Any]) -> Any:
    text = (ROOT / case["file"]).read_text()
    return YAML(typ="safe").load(text.replace(case["replace"], case["with"], 1))


def test_the_committed_schema_is_what_the_contract_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert FILE.read_text(encoding="utf-8") == render_schema()


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_each_shipped_task_names_the_schema_and_keeps_to_it(
    path: Path, validator: Draft202012Validator
) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(MODELINE)
    assert (path.parent / MODELINE.partition("$schema=")[2].strip()).resolve() == ROOT / FILE
    assert [error.message for error in validator.iter_errors(YAML(typ="safe").load(text))] == []


@pytest.mark.parametrize("case", JUDGED, ids=lambda case: case["id"])
def test_what_has_the_wrong_shape_is_refused(
    case: dict[str, Any], validator: Draft202012Validator
) -> None:
    assert validator.is_valid(change_task(case)) != case["schema_refuses"]


@pytest.mark.parametrize("case", HOLDING, ids=lambda case: case["id"])
def test_what_composes_is_taken(case: dict[str, Any], validator: Draft202012Validator) -> None:
    assert validator.is_valid(change_task(case))


def test_every_key_says_what_it_means() -> None:
    schema = json.loads((ROOT / FILE).read_text(encoding="utf-8"))
    sections = {"Task": schema, **schema["$defs"]}
    lacking = [
        f"{name}.{key}"
        for name, section in sections.items()
        for key, value in section["properties"].items()
        if not value.get("description")
    ]
    assert lacking == []
    assert set(schema["properties"]) == set(Task.model_fields) - {"origin"}
