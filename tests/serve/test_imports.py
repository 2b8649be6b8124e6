"""What a process loads that runs a model, and what the import rules see."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.environments import ROOT

WEB = {"fastapi", "starlette", "uvicorn", "prometheus_client", "pydantic_settings"}
HEAVY = {"pandas", "sklearn", "scipy", "torch", "transformers", "mlflow", "pyarrow"}


def list_modules(folder: str) -> list[str]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]


def load(*modules: str) -> set[str]:
    """Return the top-level packages that a process has once it has imported the modules."""
    script = f"import sys, {', '.join(modules)}\nprint(*(n.split('.')[0] for n in sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_the_runtime_loads_no_web_framework_and_no_training_library() -> None:
    modules = list_modules("serve/runtime")
    assert len(modules) > 10
    loaded = load(*modules)
    assert {"numpy", "onnxruntime", "msgspec", "pydantic", "tokenizers"} <= loaded
    assert not loaded & (WEB | HEAVY)


def test_the_service_loads_no_training_library() -> None:
    assert not load("serve.http.app") & HEAVY


def test_the_import_rules_hold_and_see_a_package_without_init(tmp_path: Path) -> None:
    """`make lint` runs them; here one import is added that none of them may let pass."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    for root in settings["root_packages"]:
        for path in (ROOT / root).rglob("*.py"):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    assert broken_rules(tmp_path) == []
    with (tmp_path / "serve/runtime/session.py").open("a") as file:
        file.write("\n\ndef start_web() -> None:\n    import serve.http.body\n")
    assert broken_rules(tmp_path) == [
        "The runtime of a model imports nothing of ours, and no web framework",
        "Stages import no command; of the service they import the runtime alone",
        "Commands import of the service the runtime alone",
        "HTTP is on top: files, batches and the log do without it",
        "No circle between the service's packages",
    ]


def broken_rules(folder: Path) -> list[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    lines = run.stdout.splitlines()
    assert any("Contracts: " in line for line in lines), run.stdout + run.stderr
    return [line.removesuffix(" BROKEN") for line in lines if line.endswith(" BROKEN")]
