"""What the service tells of a model's place in a registry."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.serve_models import write_heart
from tests.support.serving import serving

NOTE = {"name": "heart", "version": "3", "alias": "champion", "commit": "a" * 40}


def write_note(folder: Path, **changes: Any) -> None:
    content = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    note = {**NOTE, "content": content, **changes}
    (folder / "registered.json").write_text(json.dumps(note))


def told(models: Path) -> Any:
    with serving(models) as client:
        one = client.get("/model/info/heart").json()["registered"]
        (listed,) = client.get("/model/info").json()["models"]
        assert listed["registered"] == one
        assert client.get("/ready").status_code == 200
        return one


def test_version_alias_and_commit_are_told(tmp_path: Path) -> None:
    write_note(write_heart(tmp_path))
    assert told(tmp_path) == NOTE


def test_a_model_that_no_registry_knows_says_so(tmp_path: Path) -> None:
    write_heart(tmp_path)
    assert told(tmp_path) is None


def test_a_note_about_another_model_does_not_count(tmp_path: Path) -> None:
    write_note(write_heart(tmp_path), content="0" * 64)
    assert told(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{}", '{"name": 1}', "\x00"])
def test_a_damaged_note_is_no_reason_not_to_serve(tmp_path: Path, text: str) -> None:
    (write_heart(tmp_path) / "registered.json").write_text(text)
    assert told(tmp_path) is None


def test_a_note_that_comes_later_is_taken_over(tmp_path: Path) -> None:
    folder = write_heart(tmp_path)
    with serving(tmp_path) as client:
        write_note(folder)
        assert client.post("/admin/reload").json()["tasks"] == {"heart": "served"}
        assert client.get("/model/info/heart").json()["registered"] == NOTE
