"""An entry of ``dvc.lock`` is written as DVC writes it, and no other is touched."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ruamel.yaml import YAML

from commands.workspace.merging import split_entries
from commands.workspace.scheduling import lock_writer
from tests.support.clone import ROOT

ENTRIES = [entry for entry in split_entries((ROOT / "dvc.lock").read_text()) if entry[0]]
FIRST = "  first:\n    cmd: echo  # as it stands\n"
SECOND = "  second:\n    cmd: old\n"


@pytest.mark.parametrize("entry", ENTRIES, ids=[name for name, _ in ENTRIES])
def test_an_entry_has_the_bytes_that_dvc_gave_it(entry: tuple[str, str]) -> None:
    content = YAML(typ="safe").load(entry[1])
    assert lock_writer.format_entry(content) == entry[1]


def write(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> str:
    """Write entries of these stages into a file with this text, and return the result."""
    path = folder / "dvc.lock"
    path.write_text(text)
    monkeypatch.setattr(lock_writer, "to_lockfile", lambda stage: {stage.name: {"cmd": "new"}})
    tracked: list[str] = []
    repo = SimpleNamespace(scm_context=SimpleNamespace(track_file=tracked.append))
    lockfile: Any = SimpleNamespace(path=str(path), relpath="dvc.lock", repo=repo)
    lock_writer._dump_stages(lockfile, [SimpleNamespace(name=name) for name in names])
    assert tracked == ["dvc.lock"]
    return path.read_text()


def test_an_entry_is_replaced_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{lock_writer.HEAD}{SECOND}{FIRST}"
    assert write(text, tmp_path, monkeypatch, "second") == (
        f"{lock_writer.HEAD}  second:\n    cmd: new\n{FIRST}"
    )


def test_a_new_entry_comes_last_and_the_first_makes_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert write(f"{lock_writer.HEAD}{FIRST}", tmp_path, monkeypatch, "third") == (
        f"{lock_writer.HEAD}{FIRST}  third:\n    cmd: new\n"
    )
    assert (
        write("", tmp_path, monkeypatch, "third") == f"{lock_writer.HEAD}  third:\n    cmd: new\n"
    )


def test_a_file_with_more_than_stages_is_left_to_dvc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []
    monkeypatch.setattr(lock_writer, "_dump_all", lambda *words, **_: done.append(words))
    path = tmp_path / "dvc.lock"
    path.write_text("schema: '2.0'\ndatasets: []\nstages:\n")
    lockfile: Any = SimpleNamespace(path=str(path))
    lock_writer._dump_stages(lockfile, [])
    assert done == [(lockfile, [])]
