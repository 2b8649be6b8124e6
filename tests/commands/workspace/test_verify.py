"""`make verify` finds each kind of damage and says which file has it; in a sound clone, none."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from commands.workspace import verify
from tests.support.clone import Clone

EXPORTED = ("model", "explanation")
# What is done to the finished pipeline, all at once, and what must be said of it.
FOUND = {
    "a file differs": "data/prepared/heart/train.parquet: differs from dvc.lock, which says",
    "a cache object is damaged": "data/prepared/housing/test.parquet: its cache object",
    "an output is gone": "data/candidates/heart/linear/candidate.json is deleted",
    "a folder holds another file": "evaluate-heart: data/evaluated/heart/plots is modified",
    "code has changed": "compose: stages/validating is modified since dvc.lock was written",
    "a parameter has changed": (
        "train@heart-linear: task.heart.models.linear is modified since dvc.lock was written"
    ),
    "params.yaml is not conf/": "task.heart.models.linear.C: 0.7 here, 0.1 in conf/",
    "an exported model differs": "models/heart/{model} is not what models/heart/manifest.json",
    "an explanation is gone": "models/heart/{explanation} is not what models/heart/manifest.json",
    "a manifest was edited": "models/housing: manifest.json was changed after its export",
}


@pytest.fixture(scope="module")
def names(pipeline: Clone) -> dict[str, str]:
    """Return the names of exported files, which hold a hash of their content."""
    manifest = json.loads(pipeline.read("models/heart/manifest.json"))
    return {key: manifest[key]["file"] for key in EXPORTED}


@pytest.fixture(scope="module")
def sound(pipeline: Clone) -> str:
    return pipeline.run("python", "-m", "commands", "verify").stdout


@pytest.fixture(scope="module")
def said(pipeline: Clone, sound: str, names: dict[str, str]) -> Iterator[str]:
    """Return what is said once everything is damaged."""
    assert sound
    damage(pipeline, names)
    done = pipeline.run("python", "-m", "commands", "verify", check=False)
    assert done.returncode == 1
    yield done.stderr
    pipeline.restore()


def test_a_sound_clone_is_found_sound(sound: str) -> None:
    assert "is what its hash says" in sound


@pytest.mark.parametrize("damage", FOUND)
def test_damage_is_found(damage: str, said: str, names: dict[str, str]) -> None:
    assert FOUND[damage].format(**names) in said


def test_it_says_what_mends_it(said: str) -> None:
    assert said.rstrip().splitlines()[-1].startswith("run `make repro`")


def test_a_pipeline_that_is_not_the_declared_one_is_found(
    pipeline: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.restore()
    pipeline.replace("dvc.yaml", "desc: Parse, type and split", "desc: Something else")
    monkeypatch.chdir(pipeline.path)
    [found] = verify.find_stale_files()
    assert "dvc.yaml is not what conf/ and stages/ declare" in found


def damage(clone: Clone, names: dict[str, str]) -> None:
    append(clone.path / "data/prepared/heart/train.parquet")
    append(find_cached(clone, "prepare@housing", "data/prepared/housing/test.parquet"))
    (clone.path / "data/candidates/heart/linear/candidate.json").unlink()
    clone.write("data/evaluated/heart/plots/extra.json", "{}")
    append(clone.path / "stages/validating/values.py", b"# changed\n")
    for composed in ("params.yaml", "data/composed/heart/train-linear.yaml"):
        clone.replace(composed, "C: 0.1", "C: 0.7")
    append(clone.path / "models/heart" / names["model"])
    (clone.path / "models/heart" / names["explanation"]).unlink()
    manifest = json.loads(clone.read("models/housing/manifest.json"))
    manifest["columns"][0]["unit"] = "another"
    clone.write("models/housing/manifest.json", json.dumps(manifest))


def append(path: Path, content: bytes = b"x") -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + content)


def find_cached(clone: Clone, stage: str, path: str) -> Path:
    outs = YAML(typ="safe").load(clone.read("dvc.lock"))["stages"][stage]["outs"]
    [digest] = [out["md5"] for out in outs if out["path"] == path]
    return clone.path / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
