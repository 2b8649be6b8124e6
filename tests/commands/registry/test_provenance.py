"""Where a version comes from: first from a changed tree, then from the commit that holds it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commands.registry import register
from commands.registry.audit_log import AuditLog
from commands.registry.promote import promote
from commands.registry.store import registry
from commands.workspace.provenance import Workspace
from stages.shared.errors import PipelineError
from tests.support.registry_fixtures import TASK, WORKSPACE, Killed, killed_at

CHANGED = replace(WORKSPACE, commit="1" * 40, is_changed=True, lock="2" * 64)
Register = Callable[[Workspace], None]


@pytest.fixture
def register_from(world: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Register the task as if the workspace were in some state."""
    assert world == Path.cwd()

    def run(workspace: Workspace) -> None:
        monkeypatch.setattr(register, "read_workspace", lambda _: workspace)
        register.register(TASK)

    return run


def read_tags() -> list[dict[str, str]]:
    """Return the tags of the only version, run and logged model."""
    with registry() as store:
        experiment = store.experiment(TASK)
        (version,) = store.client.search_model_versions(f"name = '{TASK}'")
        (run,) = store.client.search_runs([experiment])
        (model,) = store.client.search_logged_models([experiment])
        return [version.tags, run.data.tags, model.tags]


def origins(tags: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(tags[key] for key in WORKSPACE.tags())


def test_a_commit_takes_the_place_of_a_changed_tree(register_from: Register) -> None:
    register_from(CHANGED)
    register_from(WORKSPACE)
    for tags in read_tags():
        assert origins(tags) == tuple(WORKSPACE.tags().values())


def test_both_states_are_kept(register_from: Register) -> None:
    for workspace in (CHANGED, WORKSPACE):
        register_from(workspace)
    history = json.loads(read_tags()[0]["registered"])
    assert [origins(state) for state in history] == [
        tuple(CHANGED.tags().values()),
        tuple(WORKSPACE.tags().values()),
    ]


@pytest.mark.parametrize("later", [CHANGED, replace(WORKSPACE, commit="e" * 40)])
def test_a_commit_that_makes_the_model_is_kept(register_from: Register, later: Workspace) -> None:
    register_from(WORKSPACE)
    register_from(later)
    version, *_ = read_tags()
    assert origins(version) == tuple(WORKSPACE.tags().values())
    assert "registered" not in version


def test_a_model_of_no_commit_is_not_promoted(register_from: Register) -> None:
    register_from(CHANGED)
    with pytest.raises(PipelineError, match="make register TASK=demo` again"):
        promote(TASK, "ada", "hope")
    assert AuditLog(TASK).transitions() == []


def test_the_audit_log_names_the_commit_that_made_the_model(register_from: Register) -> None:
    register_from(CHANGED)
    register_from(WORKSPACE)
    promote(TASK, "ada", "the first one")
    (transition,) = AuditLog(TASK).transitions()
    assert transition.commit == WORKSPACE.commit


def test_a_kill_leaves_what_the_next_command_completes(register_from: Register) -> None:
    register_from(CHANGED)
    moment = 0
    while moment < 60:
        moment += 1
        try:
            with killed_at(moment):
                register_from(WORKSPACE)
            break
        except Killed:
            continue
    assert 8 < moment < 60
    for tags in read_tags():
        assert origins(tags) == tuple(WORKSPACE.tags().values())
    assert len(json.loads(read_tags()[0]["registered"])) == 2
