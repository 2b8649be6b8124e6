"""What a stage imports is found by reading it, at any depth, and is what Python really imports."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.runner import imports

ROOT = Path(__file__).resolve().parents[3]
FILES = {
    "stages/first.py": "import os\nimport stages.shared.a\nfrom stages.shared import b as other\n",
    "stages/shared/a.py": "from stages.shared.c import thing\nimport numpy as np\n",
    "stages/shared/b.py": "def f():\n    from stages.shared.d import g\n    import sklearn.svm\n",
    "stages/shared/c.py": "from stages.shared.a import back\nfrom ruamel.yaml import YAML\n",
    "stages/shared/d.py": "if False:\n    import serve.e\n",
    "stages/shared/unused.py": "import torch\n",
    "stages/second.py": "import json\n",
    "serve/e.py": "import yaml.nodes\n",
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    imports._read_imports.cache_clear()
    yield tmp_path
    imports._read_imports.cache_clear()


def find_modules(start: str) -> list[str]:
    return [path.as_posix() for path in imports.list_modules(Path(start))]


@pytest.mark.usefixtures("repository")
def test_modules_are_found_at_any_depth_in_functions_and_in_circles() -> None:
    assert find_modules("stages/first.py") == [
        "stages/first.py",
        "serve/e.py",
        "stages/shared/a.py",
        "stages/shared/b.py",
        "stages/shared/c.py",
        "stages/shared/d.py",
    ]


@pytest.mark.usefixtures("repository")
def test_a_file_without_imports_of_ours_stands_alone() -> None:
    assert find_modules("stages/second.py") == ["stages/second.py"]


@pytest.mark.usefixtures("repository")
def test_a_folder_stands_for_its_code_only_where_all_of_it_is_run() -> None:
    code = imports.list_modules(Path("stages/first.py"))
    assert Path("stages/shared/unused.py") not in code
    assert imports.list_dependencies(code) == sorted(code)
    Path("stages/shared/unused.py").unlink()
    # Never `serve`, although all of it is run here: each further file there would count.
    assert [path.as_posix() for path in imports.list_dependencies(code)] == [
        "serve/e.py",
        "stages/first.py",
        "stages/shared",
    ]


@pytest.mark.usefixtures("repository")
def test_libraries_go_by_the_name_that_the_lock_knows() -> None:
    files = imports.list_modules(Path("stages/first.py"))
    assert imports.list_libraries(files) == ["numpy", "pyyaml", "ruamel-yaml", "scikit-learn"]
    assert imports.list_libraries([Path("stages/second.py")]) == []


@pytest.mark.parametrize("name", [name for name in FILES if name != "stages/second.py"])
def test_the_hash_changes_with_every_file_that_is_run_and_no_other(
    repository: Path, name: str
) -> None:
    before = imports.hash_code("first"), imports.hash_code("second")
    (repository / name).write_text(FILES[name] + "# more\n")
    assert (imports.hash_code("first") == before[0]) == (name == "stages/shared/unused.py")
    assert imports.hash_code("second") == before[1]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn", "scikit-learn"),
        ("yaml", "pyyaml"),
        ("ruamel", "ruamel-yaml"),
        ("pynvml", "nvidia-ml-py"),
        ("pandas", "pandas"),
        ("nowhere", "nowhere"),
    ],
)
def test_distributions(module: str, name: str) -> None:
    assert imports.find_distribution(module) == name


def test_every_installed_module_is_found_where_the_standard_library_finds_it() -> None:
    known = importlib.metadata.packages_distributions()
    expected = {
        module: re.sub(r"[-_.]+", "-", min(names, key=len)).lower()
        for module, names in known.items()
        if module.isidentifier()
    }
    assert {module: imports.find_distribution(module) for module in expected} == expected


LOADED = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
ours = [m for m in sys.modules.values() if m.__name__.split(".")[0] in ("stages", "serve")]
print(json.dumps([m.__file__ for m in ours if getattr(m, "__file__", None)]))
"""


@pytest.mark.parametrize("verb", ["prepare", "train"])
def test_everything_that_python_loads_for_a_stage_is_declared(verb: str) -> None:
    """The other way round need not hold: what a function imports is declared, too."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, f"stages.{verb}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {Path(path).relative_to(ROOT) for path in json.loads(done.stdout)}
    assert loaded <= set(imports.list_modules(Path("stages", f"{verb}.py")))


@pytest.mark.parametrize(("verb", "heavy"), [("fine_tune", {"torch", "sklearn", "transformers"})])
def test_who_reads_a_declaration_alone_waits_for_no_heavy_library(
    verb: str, heavy: set[str]
) -> None:
    """`compose` imports every stage, each time that DVC runs."""
    code = f"import sys, stages.{verb}; print(*{heavy!r} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize(("verb", "absent"), [("prepare", {"scikit-learn", "xgboost", "dvclive"})])
def test_a_stage_does_not_declare_the_libraries_of_others(verb: str, absent: set[str]) -> None:
    found = set(imports.list_libraries(imports.list_modules(Path("stages", f"{verb}.py"))))
    assert {"numpy", "pandas", "pydantic"} <= found
    assert not absent & found
