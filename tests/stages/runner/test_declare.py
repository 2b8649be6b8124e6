"""A stage gets what it declares and nothing else, and says in plain words what is wrong."""

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field
from ruamel.yaml import YAML

from stages.contract.cross_validation import CrossValidation
from stages.runner.declare import (
    At,
    Params,
    Stage,
    check_libraries,
    lookup,
    read_params,
    run_plainly,
)
from stages.shared.errors import PipelineError
from stages.shared.storage import read_json

ROOT = Path(__file__).resolve().parents[3]
PARAMS = """
task:
  heart:
    cv: {folds: 5, seed: 42}
    rate: 1e-3
    secret: 1
    word: yes
  housing:
    cv: {folds: 7, seed: 42}
    rate: 2.0
    word: "yes"
model:
  linear: {C: 1.0}
libraries: {}
"""


class SomeParams(Params):
    cv: Annotated[CrossValidation, At("task.{task}.cv")]
    rate: Annotated[float, At("task.{task}.rate")]
    word: Annotated[str, At("task.{task}.word")]
    model: Annotated[dict[str, Any], At("model.{model}")]


STAGE = Stage(verb="try", desc="", params=SomeParams, over=("task", "model"))


def write_params(text: str) -> None:
    Path("params.yaml").write_text(text, encoding="utf-8")
    read_params.cache_clear()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    write_params(PARAMS)
    yield tmp_path
    read_params.cache_clear()


def read_refusal(text: str, **item: str) -> str:
    write_params(text)
    with pytest.raises(PipelineError) as caught:
        STAGE.load(**{"task": "heart", "model": "linear", **item})
    return str(caught.value)


def test_a_stage_gets_the_values_at_its_keys() -> None:
    params = STAGE.load(task="heart", model="linear")
    assert params.cv == CrossValidation(folds=5, seed=42)
    assert (params.rate, params.word, params.model) == (0.001, "yes", {"C": 1.0})
    assert STAGE.load(task="housing", model="linear").cv.folds == 7


def test_yaml_is_read_as_dvc_reads_it() -> None:
    """YAML 1.2: ``1e-3`` is a number and ``yes`` is text."""
    assert read_params()["task"]["heart"] == YAML(typ="safe").load(PARAMS)["task"]["heart"]
    assert read_params()["task"]["heart"]["rate"] == 0.001
    assert read_params()["task"]["heart"]["word"] == "yes"


def test_an_undeclared_parameter_raises() -> None:
    params = STAGE.load(task="heart", model="linear")
    with pytest.raises(AttributeError, match="secret"):
        params.secret  # type: ignore[attr-defined]  # noqa: B018
    assert "secret" not in repr(params)


def test_a_stage_declares_the_keys_it_is_given() -> None:
    assert SomeParams.list_keys() == {
        "cv": "task.{task}.cv",
        "rate": "task.{task}.rate",
        "word": "task.{task}.word",
        "model": "model.{model}",
    }


def test_a_limit_beside_the_key_is_kept() -> None:
    class Limited(Params):
        rate: Annotated[float, Field(lt=1), At("task.{task}.rate")]

    assert Limited.list_keys() == {"rate": "task.{task}.rate"}
    with pytest.raises(PipelineError, match=r"rate: Input should be less than 1.*2.0"):
        Stage(verb="try", desc="", params=Limited).load(task="housing")


def test_a_missing_key_is_named_with_the_file_and_what_to_run() -> None:
    assert read_refusal(PARAMS, task="hart") == "params.yaml has no task.hart: run `make compose`"
    assert "params.yaml has no model.linear" in read_refusal(PARAMS.replace("linear:", "other:"))
    assert "params.yaml has no task.heart.cv" in read_refusal(
        PARAMS.replace("cv: {folds: 5", "x: {f: 5")
    )


@pytest.mark.parametrize("text", ["", "task: 5", "task: [heart]", "task:"])
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    assert "params.yaml has no task" in read_refusal(text)


def test_a_wrong_type_is_refused_by_key_and_value() -> None:
    message = read_refusal(PARAMS.replace("folds: 5", "folds: five"))
    assert "params.yaml (task.heart.cv, " in message
    assert "cv.folds: Input should be a valid integer" in message
    assert "'five'" in message


def test_an_unknown_key_is_refused() -> None:
    message = read_refusal(PARAMS.replace("folds: 5", "folds: 5, fold: 3"))
    assert "cv.fold: unknown key (its value is 3)" in message


def test_without_the_file_the_command_that_makes_it_is_named() -> None:
    Path("params.yaml").unlink()
    read_params.cache_clear()
    with pytest.raises(PipelineError, match=r"params.yaml is not here: run `make compose`"):
        STAGE.load(task="heart", model="linear")


def test_lookup_names_the_first_part_that_is_missing() -> None:
    assert lookup({"a": {"b": {"c": None}}}, "a.b.c") is None
    with pytest.raises(PipelineError, match=r"has no a\.x:"):
        lookup({"a": {"b": 1}}, "a.x.y")


def read_fingerprint(text: str) -> str:
    write_params(text)
    return STAGE.fingerprint(task="heart", model="linear")


def test_the_fingerprint_changes_with_the_declared_values_alone() -> None:
    before = read_fingerprint(PARAMS)
    assert read_fingerprint(PARAMS.replace("secret: 1", "secret: 2")) == before
    assert read_fingerprint(PARAMS.replace("folds: 7", "folds: 8")) == before
    assert (
        read_fingerprint(PARAMS.replace("{folds: 5, seed: 42}", "{seed: 42, folds: 5}")) == before
    )
    assert read_fingerprint(PARAMS.replace("folds: 5", "folds: 6")) != before
    assert read_fingerprint(PARAMS.replace("C: 1.0", "C: 1.5")) != before


def check_declared(text: str) -> None:
    write_params(f"libraries: {text}")
    check_libraries(Path("params.yaml"), Path("data/composed/absent.yaml"))


def test_the_declared_versions_are_accepted() -> None:
    check_declared(f"{{numpy: {importlib.metadata.version('numpy')}}}")


def test_another_version_is_refused() -> None:
    found = importlib.metadata.version("numpy")
    with pytest.raises(PipelineError, match="environment is not the declared one") as caught:
        check_declared("{numpy: 0.0.1, pandas: '1'}")
    assert f"numpy: {found} is installed, libraries.numpy says 0.0.1" in str(caught.value)
    assert "libraries.pandas says 1" in str(caught.value)
    assert "make install" in str(caught.value)


def test_a_library_that_is_not_there_is_refused() -> None:
    with pytest.raises(PipelineError, match="nosuchlibrary: nothing is installed"):
        check_declared("{nosuchlibrary: 1.0.0}")


def fail(error: Exception) -> str:
    def step() -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        run_plainly("try heart", step)
    assert isinstance(caught.value.code, str)  # printed, with exit code 1
    return caught.value.code


def test_a_pipeline_error_is_its_message() -> None:
    assert fail(PipelineError("the sky is green")) == "\ntry heart: the sky is green\n"


def test_a_missing_file_is_named_with_what_makes_it() -> None:
    with pytest.raises(SystemExit, match=r"data/prepared/x.json is not here: `dvc repro` makes"):
        run_plainly("try heart", lambda: read_json(Path("data/prepared/x.json")))


def test_another_error_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run_plainly("try", lambda: None, lambda: 1 / 0)


def run_command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.prepare", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_says_how_it_is_used(folder: Path) -> None:
    done = run_command(folder)
    assert done.returncode == 1
    assert done.stderr == "usage: python -m stages.prepare TASK\n"


def test_a_failing_command_prints_its_message_and_no_trace(folder: Path) -> None:
    done = run_command(folder, "hart")
    assert done.returncode == 1
    assert done.stderr == "\nprepare hart: params.yaml has no task.hart: run `make compose`\n\n"
    assert not list(folder.glob("data/**/*"))
