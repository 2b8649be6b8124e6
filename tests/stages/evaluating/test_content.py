"""The one reader of ``evaluation.json`` against what `evaluate` writes."""

from pathlib import Path
from typing import Any

import pytest

from stages.evaluating.content import parse_evaluation, read_evaluation
from stages.shared.errors import PipelineError
from stages.shared.storage import read_json
from tests.support.export_fixtures import build_fixture, evaluate_fixture

FOLDER = Path("data/evaluated/demo")


@pytest.fixture(scope="module", params=["binary", "several", "regression"])
def written(request: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what `evaluate` wrote, and beside it what the reader made of it."""
    root = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        build_fixture(root, request.param)
        evaluate_fixture()
        read = read_evaluation(FOLDER).model_dump(mode="json")
        return {"file": read_json(FOLDER / "evaluation.json"), "read": read}


def test_every_key_that_is_written_is_read_with_its_value(written: dict[str, Any]) -> None:
    expected = written["file"]
    for candidate in expected["candidates"]:  # its record has what only its makers read
        del candidate["trained"]["model"], candidate["trained"]["complexity"]
    assert written["read"] == expected


def test_the_value_is_the_tasks_metric_on_the_test_rows(written: dict[str, Any]) -> None:
    found = parse_evaluation(written["file"], "here")
    assert found.value == written["file"]["test"]["metrics"][found.metric]["value"]


def test_a_wrong_value_is_named_with_file_and_key(written: dict[str, Any]) -> None:
    wrong = {**written["file"], "threshold": "high"}
    with pytest.raises(PipelineError, match=r"base: (.|\n)*threshold(.|\n)*'high'"):
        parse_evaluation(wrong, "base:")
