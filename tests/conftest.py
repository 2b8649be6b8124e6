"""One run of the whole pipeline, shared by every test that starts from its result."""

import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from tests.support.clone import ROOT, Clone, commit, make_clone

# Started in the background of a script, a process ignores Ctrl-C, and so would all it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("repository", deadline=None)
settings.load_profile("repository")


@pytest.hookimpl(tryfirst=True)  # before the plugin that looks at marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as long what starts from the pipeline's run, and put files with long tests first.

    Of two processes each runs whole files: one that takes minutes must not be the last to begin.
    """
    for item in items:
        if starts_from_run(item):
            item.add_marker("long")
    long = Counter(item.path for item in items if item.get_closest_marker("long"))
    started = Counter(item.path for item in items if starts_from_run(item))
    # One process makes the run, for the file that uses it most; the other need not wait for it.
    others = [path for path in long if path not in started]
    order = list(dict.fromkeys([*[path for path, _ in started.most_common(1)], *others, *started]))
    rank = {path: place for place, path in enumerate(order)}
    items.sort(key=lambda item: rank.get(item.path, len(order)))


def starts_from_run(item: pytest.Item) -> bool:
    return "baseline" in getattr(item, "fixturenames", ())


def quick_clone(path: Path) -> Clone:
    """Return a clone whose configuration is the shipped one with the preset ``quick``."""
    clone = make_clone(path)
    clone.replace("conf/config.yaml", "- experiment: null", "- experiment: quick")
    clone.compose()
    commit(clone, "quick")
    return clone


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``run``, a clone after a traced ``dvc repro``, and ``trace.tsv``.

    Made once, even with several test processes; copy it before changing anything.
    """
    # Each worker of pytest-xdist has a folder of its own in the one that they share.
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "baseline"
    with FileLock(f"{shared}.lock"):
        if not (shared / "done").exists():
            clone = quick_clone(shared / "run")
            tracing = str(ROOT / "tests/support/tracing")
            clone.run("dvc", "repro", PYTHONPATH=tracing, TRACE_LOG=str(shared / "trace.tsv"))
            commit(clone, "dvc.lock")
            (shared / "done").touch()
    return shared


@pytest.fixture(scope="module")
def pipeline(baseline: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Return a copy of the baseline's clone, with its cache, for one test file to change."""
    path = tmp_path_factory.mktemp("pipeline") / "run"
    shutil.copytree(baseline / "run", path, symlinks=True)
    return Clone(path)
