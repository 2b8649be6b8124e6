"""Killed, damaged or stopped by a failing check, the pipeline recovers and loses nothing."""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.support.clone import Clone, environment
from tests.support.defaults import TASKS

STAGE = "train@housing-forest"
SLOW = ("forest: { n_estimators: 20 }", "forest: { n_estimators: 4000 }")


@pytest.fixture
def clone(pipeline: Clone) -> Iterator[Clone]:
    yield pipeline
    pipeline.restore()
    pipeline.run("dvc", "checkout", "-q", "--force")


@pytest.fixture
def slow(clone: Clone) -> Clone:
    """A pipeline in which one stage is out of date and takes long."""
    clone.replace("conf/experiment/quick.yaml", *SLOW)
    clone.compose()
    return clone


def test_a_killed_stage_is_run_again(slow: Clone) -> None:
    dvc, stage = started(slow)
    os.kill(stage, signal.SIGKILL)
    assert dvc.wait(60) != 0
    assert_servable(slow)
    recovers(slow, trees=25)


def test_a_stage_dies_with_dvc_and_is_run_again(slow: Clone) -> None:
    dvc, stage = started(slow)
    dvc.kill()
    dvc.wait(60)
    assert gone(stage, seconds=5), "the stage outlived dvc"
    assert_servable(slow)
    recovers(slow, trees=26)


def test_a_failing_validation_keeps_the_exported_model(clone: Clone) -> None:
    before = clone.read("models/heart/manifest.json")
    clone.replace("conf/task/heart.yaml", "range: [80, 700]", "range: [80, 90]")
    clone.compose()
    done = clone.run("dvc", "repro", "export@heart", check=False)
    assert done.returncode != 0
    assert "chol" in done.stdout
    assert clone.read("models/heart/manifest.json") == before
    assert_servable(clone)


def test_verify_finds_a_damaged_cache_object_and_repro_mends_it(clone: Clone) -> None:
    lock = YAML(typ="safe").load(clone.read("dvc.lock"))
    out = lock["stages"]["prepare@heart"]["outs"][0]
    cached = clone.path / ".dvc/cache/files/md5" / out["md5"][:2] / out["md5"][2:]
    cached.chmod(0o644)
    cached.write_bytes(b"damaged" + cached.read_bytes())
    found = clone.run("python", "-m", "commands", "verify", check=False)
    assert found.returncode == 1
    assert out["path"] in found.stderr
    assert "prepare@heart" in clone.repro()
    assert hashlib.md5(cached.read_bytes()).hexdigest() == out["md5"]
    assert clone.run("python", "-m", "commands", "verify").returncode == 0


def test_verify_finds_a_damaged_file_in_the_workspace(clone: Clone) -> None:
    path = clone.path / "data/prepared/heart/train.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    found = clone.run("python", "-m", "commands", "verify", check=False)
    assert found.returncode == 1
    assert "data/prepared/heart/train.parquet: differs from dvc.lock" in found.stderr


def started(clone: Clone) -> tuple[subprocess.Popen[bytes], int]:
    """Start ``dvc repro`` and return it with the process id of its slow stage."""
    command = ["dvc", "repro", STAGE]
    dvc = subprocess.Popen(command, cwd=clone.path, env=environment(), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for pid in children(dvc.pid):
            if "stages.train\0housing\0forest" in cmdline(pid):
                time.sleep(2)  # let it get into its work
                return dvc, pid
        time.sleep(0.05)
    dvc.kill()
    raise AssertionError(f"{STAGE} did not start")


def recovers(clone: Clone, trees: int) -> None:
    """Run again with a smaller forest: the stage runs, and all that depends on it."""
    clone.replace("conf/experiment/quick.yaml", SLOW[1], f"forest: {{ n_estimators: {trees} }}")
    clone.compose()
    assert STAGE in clone.repro()
    assert clone.repro() == set()
    assert_servable(clone)


def assert_servable(clone: Clone) -> None:
    """Each exported folder holds a manifest and exactly the model that it names."""
    manifests = list((clone.path / "models").glob("*/manifest.json"))
    assert {path.parent.name for path in manifests} == set(TASKS)
    for manifest in manifests:
        model = json.loads(manifest.read_text(encoding="utf-8"))["model"]
        content = (manifest.parent / model["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == model["sha256"]


def children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True
    )
    return [int(word) for word in listed.stdout.split()]


def cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except OSError:
        return ""


def gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not cmdline(pid):
            return True
        time.sleep(0.05)
    return False
