"""What a registered model carries and pins: the runtime, and no web framework."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from commands.registry.artifact import pack, read_export
from serve.runtime.load import load_model
from stages.exporting.publishing import CARD
from stages.runner import imports
from tests.support.environments import ROOT, find_distributions, link_distributions
from tests.support.serve_models import HEART_ROW, write_heart

WEB = {"fastapi", "starlette", "uvicorn", "prometheus-client", "pydantic-settings"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_heart(tmp_path_factory.mktemp("models"))
    (folder / CARD).write_text("# Heart\n")
    return folder


@pytest.fixture(scope="module")
def packed(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("packed") / "model"
    manifest, _ = read_export(exported)
    pack(exported, manifest, target)
    return target


def pinned(packed: Path) -> dict[str, str]:
    lines = (packed / "requirements.txt").read_text().split()
    return dict(line.split("==") for line in lines)


def test_of_our_code_it_carries_the_runtime_alone(packed: Path) -> None:
    carried = {path.relative_to(packed / "code") for path in packed.glob("code/**/*.py")}
    runtime = {path.relative_to(ROOT) for path in ROOT.glob("serve/runtime/**/*.py")}
    assert carried == runtime
    assert not [*packed.glob("code/**/*.html"), *packed.glob("code/**/*.pyc")]


def test_it_pins_what_the_runtime_imports_and_no_web_framework(packed: Path) -> None:
    own = set(pinned(packed)) - {"mlflow"}  # which MLflow adds by itself
    assert own == {
        *("numpy", "onnxruntime", "msgspec", "tokenizers"),
        *("pydantic", "pydantic-core", "typing-extensions"),
    }
    assert not find_distributions(own) & WEB


def test_it_answers_in_an_environment_of_its_pins_alone(
    exported: Path, packed: Path, tmp_path: Path
) -> None:
    """MLflow does the same: the folder ``code`` on the path, and then the loader's module."""
    own = set(pinned(packed)) - {"mlflow"}
    link_distributions(find_distributions(own), tmp_path / "site")
    (data,) = packed.glob("data/heart")
    script = (
        f"import sys; sys.path += [{str(packed / 'code')!r}, {str(tmp_path / 'site')!r}]\n"
        "import importlib, json\n"
        "loader = importlib.import_module('serve.runtime.mlflow_pyfunc')\n"
        f"model = loader._load_pyfunc({str(data)!r}).model\n"
        f"print(json.dumps(model.predict_one({HEART_ROW!r})))\n"
    )
    command = [sys.executable, "-I", "-S", "-c", script]  # without site-packages
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == load_model(exported).predict_one(HEART_ROW)


BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked")

sys.meta_path.insert(0, Blocker())
import {module}
"""


@pytest.mark.parametrize("command", ["register", "promote", "pull", "rollback"])
def test_the_registry_s_commands_need_no_web_framework_of_ours(command: str) -> None:
    names = {re.sub("-", "_", name) for name in WEB}
    script = BLOCKED.format(names=names, module=f"commands.registry.{command}")
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("command", ["register", "promote", "pull", "rollback"])
def test_the_project_s_dependencies_hold_all_that_the_registry_s_commands_import(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(imports, "ROOTS", ("stages", "serve", "commands"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    files = imports.list_modules(Path(f"commands/registry/{command}.py"))
    needed = set(imports.list_libraries(files))
    assert "mlflow" in needed
    assert needed <= find_distributions(project["dependencies"])
