"""What ``params.yaml`` holds and ``conf/`` never gave it: composing anew would lose these values.

An applied experiment leaves such values, and so does an edit of ``params.yaml`` by hand. A value
that ``conf/`` gave in the past is none of them: there, ``conf/`` has been edited since.
"""

import io
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.experiments.ranking.history import State, list_experiments
from commands.shared.trees import ABSENT, Key, describe_changes, find_changes, flatten
from commands.workspace.git import ask_git, read_archive
from stages.composing.config import compose_params, read_yaml
from stages.composing.files import CONF, read_text
from stages.composing.record import is_remembered
from stages.runner.declare import PARAMS_FILE
from stages.shared.errors import PipelineError

GENERATED = ("libraries",)  # written from the lock files, so never lost
UNFINISHED = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD")


@dataclass(frozen=True)
class Overrides:
    """Values by their paths, and the experiment that ``params.yaml`` comes from, if one is known.

    ABSENT stands for the value of a key that was taken out.
    """

    values: dict[Key, Any]
    experiment: str | None = None


def stop_before_loss(composed: str) -> None:
    """Raise PipelineError where writing ``composed`` would lose a value of ``params.yaml``."""
    found = find_overrides(composed)
    if found.values:
        source = f" (experiment {found.experiment})" if found.experiment else ""
        raise PipelineError(
            f"{PARAMS_FILE}{source} holds what conf/ does not give, and composing would lose it:\n"
            f"{describe_changes(found.values, flatten(read_yaml(composed)))}\n"
            "keep it:  python -m commands adopt-experiment  (writes it into conf/)\n"
            "drop it:  python -m commands compose --discard"
        )


def find_overrides(composed: str) -> Overrides:
    """Return the values of ``params.yaml`` that neither ``conf/`` nor its past gives."""
    text = read_text(PARAMS_FILE)
    if text in ("", composed) or is_remembered(text) or not ask_git("rev-parse", "HEAD"):
        return Overrides({})
    expected, name, values = flatten(read_yaml(composed)), None, dict[Key, Any]()
    for side in _split_sides(text):
        changes = _drop_generated(find_changes(flatten(read_yaml(side)), expected))
        if changes:
            name, origins = _find_origins(side)
            values |= {k: v for k, v in changes.items() if not _is_given(k, v, origins)}
    return Overrides(values, name)


def find_experiment_overrides(name: str) -> Overrides:
    """Return the values that an experiment set; raises PipelineError where there is none such."""
    found = {state.experiment: state for state in list_experiments()}
    if name not in found:
        known = ", ".join(found) or "none"
        raise PipelineError(f"there is no experiment {name}; there are: {known}")
    state = found[name]
    given = compose_at(state.commit)
    if given is None:
        raise PipelineError(f"the conf/ of experiment {name} does not compose")
    here = flatten(read_yaml(state.read(PARAMS_FILE.name)))
    return Overrides(_drop_generated(find_changes(here, given)), name)


def compose_at(commit: str) -> dict[Key, Any] | None:
    """Return what ``conf/`` gave in a commit; None where it had none that composes."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(fileobj=io.BytesIO(read_archive(commit, CONF))) as archive:
                archive.extractall(folder, filter="data")
            return flatten(read_yaml(compose_params(conf=Path(folder, CONF))))
        except PipelineError:
            return None


def _is_given(key: Key, value: Any, origins: list[dict[Key, Any]]) -> bool:
    return any(given.get(key, ABSENT) == value for given in origins)


def _drop_generated(changes: dict[Key, Any]) -> dict[Key, Any]:
    return {key: value for key, value in changes.items() if key[0] not in GENERATED}


def _split_sides(text: str) -> list[str]:
    """Return the text, or where a merge has left both sides in it, each of them."""
    if "<<<<<<<" not in text:
        return [text]
    return [State("", f":{number}", "", "").read(PARAMS_FILE.name) for number in (2, 3)]


def _find_origins(text: str) -> tuple[str | None, list[dict[Key, Any]]]:
    """Return what ``conf/`` gave wherever git has this ``params.yaml``, and the experiment's name.

    An experiment has its own ``conf/`` beside it. Else it may stem from any commit behind the
    workspace.
    """
    same = [state for state in list_experiments() if state.read(PARAMS_FILE.name) == text]
    commits = [state.commit for state in same] or list(_list_commits_behind())
    found = {ask_git("rev-parse", f"{commit}:./{CONF}"): commit for commit in commits}
    trees = (compose_at(commit) for commit in found.values())
    return (same[-1].experiment if same else None), [tree for tree in trees if tree is not None]


def _list_commits_behind() -> Iterator[str]:
    """Yield HEAD, what is being merged into it, and the last commit that changed params.yaml.

    Of a merge its parents, too: git may have put the file together from both.
    """
    for name in ("HEAD", *UNFINISHED):
        if commit := ask_git("rev-parse", "--verify", "--quiet", name):
            yield commit
    last = ask_git("log", "-1", "--format=%H %P", "--", PARAMS_FILE.name).split()
    yield from last if len(last) > 2 else last[:1]
