"""Commands compose before they read configuration, and only where something has changed since."""

from pathlib import Path

import pytest

from commands.shared.composing import compose_first
from commands.workspace import compose
from tests.support.clone import Clone, make_clone

CHANGES = {
    "a value in conf/": ("conf/task/heart.yaml", "C: 0.1", "C: 0.3"),
    "code of a stage": ("stages/train.py", "def main(", "# edited\n\n\ndef main("),
    "a hand edit of dvc.yaml": ("dvc.yaml", "desc: Stop at once", "desc: Stop"),
    "a stage's parameters": ("data/composed/heart/train-linear.yaml", "C: 0.1", "C: 0.2"),
    "a stage's code": ("data/composed/train.yaml", "stages/train.py", "stages/trains.py"),
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_clone(tmp_path_factory.mktemp("composing"))


@pytest.fixture
def composed(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each time that something is composed."""
    monkeypatch.chdir(clone.path)
    compose_first()
    done: list[str] = []
    once = compose.compose
    monkeypatch.setattr(compose, "compose", lambda **_: (done.append("composed"), once()))
    return done


def test_nothing_is_composed_where_nothing_has_changed(composed: list[str]) -> None:
    compose_first()
    assert composed == []


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_composed_once(
    clone: Clone, composed: list[str], change: tuple[str, str, str]
) -> None:
    clone.replace(*change)
    compose_first()
    compose_first()
    clone.run("git", "checkout", "-q", ".")
    assert composed == ["composed"]


def test_a_stage_whose_parameters_are_gone_gets_them_again(composed: list[str]) -> None:
    path = Path("data/composed/heart/train-linear.yaml")
    before = path.read_text()
    path.unlink()
    compose_first()
    assert composed == ["composed"]
    assert path.read_text() == before
