"""A small exported task with a local registry, for every test of the registry's commands."""

from pathlib import Path

import pytest

from commands.registry.store import registry
from tests.support.registry_fixtures import copied, enter, make_world


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world whose store has its tables and nothing in them: making them takes seconds."""
    root = tmp_path_factory.mktemp("registry") / "world"
    make_world(root)
    with pytest.MonkeyPatch.context() as patch:
        enter(root, patch)
        with registry() as store:
            store.client.search_experiments()
    return root


@pytest.fixture
def world(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the world as the working directory, with nothing registered."""
    root = copied(template, tmp_path / "world")
    enter(root, monkeypatch)
    return root
