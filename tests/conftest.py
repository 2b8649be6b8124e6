"""One run of the whole pipeline, shared by every test that starts from its result."""

import os
import shutil
import signal
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
