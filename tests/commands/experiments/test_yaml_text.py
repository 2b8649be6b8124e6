"""A value that is changed in a YAML text changes nothing else in it."""

import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from commands.experiments.adopting.yaml_text import delete_key, render_value, set_value
from commands.shared.trees import Key, find_changes, flatten
from tests.support.clone import ROOT

FILES = sorted(path for path in (ROOT / "conf").rglob("*.yaml") if path.parent.name != "conf")
FLOW = "a: { b: 1, c: 2 } # why\nd: x\n"
BLOCK = "# head\na: # why\n  b: 1 # one\n  c:\n    - 2\n    - 3\n\n# of d\nd:\n"


def load(text: str) -> Any:
    return YAML(typ="safe").load(text)


def find_changed_lines(before: str, after: str) -> list[str]:
    diff = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line[2:] for line in diff if line.startswith("+ ")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_value_of_every_shipped_file_can_be_changed_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    before = flatten(load(text))
    for key in before:
        changed = set_value(text, key, "new: value")
        assert find_changes(flatten(load(changed)), before) == {key: "new: value"}
        assert len(find_changed_lines(text, changed)) == 1
        assert changed.count("#") == text.count("#")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_value_of_every_shipped_file_can_be_taken_out_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    before = flatten(load(text))
    for key in before:
        after = flatten(load(delete_key(text, key)) or {})
        assert {name: value for name, value in before.items() if name != key} == {
            name: value for name, value in after.items() if value != {} or name in before
        }


@pytest.mark.parametrize(
    ("text", "key", "value", "expected"),
    [
        (FLOW, ("a", "b"), 0.5, "a: { b: 0.5, c: 2 } # why\nd: x\n"),
        (FLOW, ("a", "e", "f"), [1, None], "a: { b: 1, c: 2, e: { f: [1, null] } } # why\nd: x\n"),
        (FLOW, ("e",), True, "a: { b: 1, c: 2 } # why\nd: x\ne: true\n"),
        ("a: {}\n", ("a", "b"), 1, "a: { b: 1 }\n"),
        ("a: { b: , c: }\n", ("a", "b", "d"), 1, "a: { b: { d: 1 }, c: }\n"),
        ("# empty\n", ("a", "b"), 1, "# empty\na: { b: 1 }\n"),
        (BLOCK, ("a", "b"), 2, BLOCK.replace("b: 1 #", "b: 2 #")),
        (BLOCK, ("a", "c"), [4], BLOCK.replace("c:\n    - 2\n    - 3", "c: [4]")),
        (BLOCK, ("a", "e"), 1, BLOCK.replace("    - 3\n", "    - 3\n  e: 1\n")),
        (BLOCK, ("d", "e"), "no", BLOCK.replace("d:\n", "d: { e: \"no\" }\n")),
        ("defaults:\n  - s: a # or b\n  - x\n", ("defaults", "s"), "b",
         "defaults:\n  - s: b # or b\n  - x\n"),
        ("false: no\n", (False,), "x", "false: x\n"),
    ],
)  # fmt: skip
def test_a_value_is_written_as_a_person_would(
    text: str, key: Key, value: Any, expected: str
) -> None:
    assert set_value(text, key, value) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (("a", "b"), "a: { c: 2 } # why\nd: x\n"),
        (("a", "c"), "a: { b: 1 } # why\nd: x\n"),
        (("a",), "d: x\n"),
        (("d",), "a: { b: 1, c: 2 } # why\n"),
        (("z", "y"), FLOW),
    ],
)
def test_a_key_is_taken_out(key: Key, expected: str) -> None:
    assert delete_key(FLOW, key) == expected


@pytest.mark.parametrize(
    "value",
    ["1e-5", "yes", "null", "a: b", "a #b", "", "[x]", "- x", "it's", "ü", "1:30", 1e-5, 1.0, -0.0,
     10**20, None, True, [], {}, ["a", {"b": [1.5]}], "2020-01-01", "a, b"],
)  # fmt: skip
def test_every_reader_of_yaml_gets_the_value_back(value: Any) -> None:
    text = f"a: {render_value(value)}\n"
    assert load(text) == {"a": value}
    assert yaml.safe_load(text) == {"a": value}
    assert type(load(text)["a"]) is type(value)
