"""What each stage really opens is what ``dvc.yaml`` says it reads and writes."""

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.composing.checking import list_stages
from stages.runner import stopwatch
from tests.support.clone import ROOT, Clone

# DVC does not let a stage depend on dvc.yaml, which the guard holds against conf/.
ALWAYS = {"dvc.yaml"}
Trace = dict[str, dict[str, set[str]]]


@pytest.fixture(scope="module")
def declared(baseline: Path) -> dict[str, dict[str, set[str]]]:
    """What each stage declares, with all templates resolved, as ``dvc.lock`` has it.

    A stage's list of code stands for the files in it.
    """
    lock = YAML(typ="safe").load((baseline / "run/dvc.lock").read_text(encoding="utf-8"))
    found = {name: _list_paths(stage) for name, stage in lock["stages"].items()}
    for paths in found.values():
        for path in [path for path in paths["deps"] if path.startswith("data/composed/")]:
            listed = YAML(typ="safe").load((baseline / "run" / path).read_text(encoding="utf-8"))
            paths["deps"] |= set(listed.get("code", {}))
    return found


@pytest.fixture(scope="module")
def opened(baseline: Path) -> Trace:
    """What each stage opened, noted by an audit hook."""
    trace: Trace = defaultdict(lambda: {"read": set(), "write": set()})
    for line in (baseline / "trace.tsv").read_text(encoding="utf-8").splitlines():
        stage, mode, path = line.split("\t")
        if not _belongs_to_tools(path):
            trace[stage][mode].add(map_to_final(path))
    return trace


def test_every_stage_was_traced(declared: Any, opened: Trace) -> None:
    assert set(opened) == set(declared)


def test_no_stage_reads_what_it_does_not_declare(declared: Any, opened: Trace) -> None:
    undeclared = {
        stage: sorted(path for path in files["read"] if not is_within(path, allowed))
        for stage, files in opened.items()
        for allowed in [set.union(ALWAYS, *declared[stage].values())]
    }
    assert {stage: paths for stage, paths in undeclared.items() if paths} == {}


def test_no_stage_writes_what_it_does_not_declare(declared: Any, opened: Trace) -> None:
    undeclared = {
        stage: sorted(path for path in files["write"] if not is_within(path, allowed))
        for stage, files in opened.items()
        for allowed in [declared[stage]["outs"] | list_unhashed(stage)]
    }
    assert {stage: paths for stage, paths in undeclared.items() if paths} == {}


def test_no_stage_declares_code_that_it_does_not_run(declared: Any, opened: Trace) -> None:
    """A needless dependency reruns a stage for nothing."""
    needless = {
        stage: sorted(path for path in list_code(paths["deps"]) if path not in reads)
        for stage, paths in declared.items()
        for reads in [opened[stage]["read"]]
    }
    assert {stage: paths for stage, paths in needless.items() if paths} == {}


def test_the_trace_sees_an_undeclared_read(pipeline: Clone, tmp_path: Path) -> None:
    """The check itself can fail: a stage that reads README.md is caught."""
    pipeline.replace("stages/fetch.py", "def main(", "Path('README.md').read_text()\n\n\ndef main(")
    pipeline.compose()
    log = tmp_path / "trace.tsv"
    tracing = str(ROOT / "tests/support/tracing")
    pipeline.repro("fetch@heart", PYTHONPATH=tracing, TRACE_LOG=str(log))
    assert "fetch@heart\tread\tREADME.md" in log.read_text(encoding="utf-8").splitlines()


def list_code(deps: set[str]) -> set[str]:
    """Return the modules among the dependencies, and those in folders that are named as a whole."""
    folders = [Path(path) for path in deps if path.startswith("stages/") and Path(path).is_dir()]
    inside = {file.as_posix() for folder in folders for file in folder.rglob("*.py")}
    return inside | {path for path in deps if path.endswith(".py")}


def _list_paths(stage: Any) -> dict[str, set[str]]:
    """Return the files and folders by kind. Of ``params`` DVC hashes the declared values alone."""
    found = {kind: {item["path"] for item in stage.get(kind, [])} for kind in ("deps", "outs")}
    return {**found, "params": set(stage.get("params", {}))}


def list_unhashed(name: str) -> set[str]:
    """What a stage leaves beside its outputs: unfinished work, how fast it went, its time."""
    verb, _, item = name.partition("@")
    task, _, encoder = item.partition("-")
    return {stopwatch.FOLDER.as_posix()} | {
        template.format(task=task, encoder=encoder)
        for stage in list_stages()
        if stage.verb == verb
        for template in (*stage.measures, *stage.scratch)
    }


def is_within(path: str, allowed: set[str]) -> bool:
    return any(path == item or path.startswith(f"{item}/") for item in allowed)


def _belongs_to_tools(path: str) -> bool:
    """DVCLive looks at the repository around it, as DVC does."""
    return Path(path).parts[0] in (".dvc", ".git", ".venv", ".dvcignore", ".gitignore")


def map_to_final(path: str) -> str:
    """Map compiled code to its source, and an unfinished file to the name it ends under."""
    folder, name = os.path.split(path)
    if folder.endswith("__pycache__"):
        return os.path.join(os.path.dirname(folder), f"{name.split('.')[0]}.py")
    if name.startswith(".") and name.endswith(".tmp"):
        return os.path.join(folder, name[1:].rsplit(".", 2)[0])
    return path
