"""Each message that the documents quote stands in the code, so that a search finds it."""

import ast
import re
from pathlib import Path

import dvc.rwlock
import pytest

from tests.support.clone import ROOT
from tests.support.documents import flat, is_said, messages

PAGE = ROOT / "docs/troubleshooting.md"
QUOTED = re.findall(r"^### (`+) ?(.+?) ?\1(?: <!-- (\w+) -->)?$", PAGE.read_text("utf-8"), re.M)
OURS = [message for _, message, whose in QUOTED if not whose]
CODE = ("commands", "stages", "serve")


@pytest.fixture(scope="module")
def said() -> list[str]:
    return messages(CODE)


def test_each_entry_quotes_a_message() -> None:
    headings = re.findall(r"^### .*$", PAGE.read_text("utf-8"), re.M)
    assert len(headings) == len(QUOTED) > 40


@pytest.mark.parametrize("message", OURS)
def test_the_message_stands_in_the_code(message: str, said: list[str]) -> None:
    words = message.replace("…", "")
    assert len(words) >= 12, "too short to be told from others"
    assert is_said(message, said)


def test_a_message_that_nobody_says_is_not_found(said: list[str]) -> None:
    assert not is_said("the table … is made of cheese", said)
    assert not is_said("params.yaml has no …: run `make cheese`", said)


def test_pieces_in_another_order_are_another_message() -> None:
    assert is_said("a … b", ["a \0 b"])
    assert not is_said("b … a", ["a \0 b"])


def test_values_stand_for_what_differs() -> None:
    node = ast.parse("f'{FILE} has no {name}'").body[0]
    assert isinstance(node, ast.Expr)
    assert flat(node.value, {"FILE": "a.yaml"}) == "a.yaml has no \0"


def test_dvc_says_what_is_quoted_as_its_own() -> None:
    theirs = [message for _, message, whose in QUOTED if whose == "dvc"]
    assert theirs
    source = Path(dvc.rwlock.__file__).read_text(encoding="utf-8")
    assert all(is_said(message, [source.replace("\n", " ")]) for message in theirs)
