"""`.env.example` names every variable that the code reads, and none that it does not."""

import ast
import re
import subprocess

import pytest

from tests.support.clone import ROOT
from tests.support.documents import constants
from tests.support.readme import ENVIRONMENT, SERVICE, service_variables

TEXT = ENVIRONMENT.read_text(encoding="utf-8")
LISTED = re.findall(r"^# ([A-Z][A-Z0-9_]*)=", TEXT, re.M)
CODE = ("commands", "stages", "serve")
# Read by a tool for us, or named by a user's own source.
TOOLS = {
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
    "PGPASSWORD", "PIP_FIND_LINKS", "UV_FIND_LINKS",
}  # fmt: skip
# Set by DVC for what it runs; nobody else sets them.
DVCS = {"DVC_EXP_NAME", "DVC_ROOT"}
READERS = {"os.environ.get", "os.getenv", "setting"}


@pytest.fixture(scope="module")
def modules() -> list[ast.Module]:
    paths = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]


@pytest.fixture(scope="module")
def variables(modules: list[ast.Module]) -> set[str]:
    names = constants(modules)
    return {name for tree in modules for name in read_in(tree, names)}


def test_each_variable_is_listed_once() -> None:
    assert len(LISTED) == len(set(LISTED)) > 40


def test_those_that_the_code_reads_are_listed(variables: set[str]) -> None:
    assert {"MLFLOW_TRACKING_URI", "DATA_MIRROR", "TUNE_STORAGE"} <= variables
    assert variables - DVCS - {"MODELS_DIR"} - set(LISTED) == set()


def test_no_other_is_listed(modules: list[ast.Module]) -> None:
    texts = {
        node.value for tree in modules for node in ast.walk(tree) if isinstance(node, ast.Constant)
    }
    ours = {name for name in LISTED if not name.startswith("SERVE_")}
    assert ours - texts - TOOLS == set()


def test_tools_variables_are_spoken_of_where_they_are_used() -> None:
    where = ("Makefile", "docs", ".github", "*.py")
    used = subprocess.run(
        ["git", "grep", "-ohE", "|".join(sorted(TOOLS)), "--", *where],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(used.stdout.split()) == TOOLS


def test_the_services_are_its_settings() -> None:
    assert TEXT.partition(SERVICE)[2] == service_variables()


def test_no_value_is_set() -> None:
    lines = [line for line in TEXT.splitlines() if line]
    assert [line for line in lines if not line.startswith("# ")] == []


def test_nobody_can_commit_the_filled_in_file() -> None:
    done = subprocess.run(["git", "check-ignore", "-q", ".env"], cwd=ROOT, check=False)
    assert done.returncode == 0


def read_in(tree: ast.Module, names: dict[str, str]) -> set[str]:
    """Return the variables that a module reads; a name that cannot be told fails the test."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=func, args=[name, *_]) if ast.unparse(func) in READERS:
                pass
            case ast.Subscript(value=value, slice=name, ctx=ast.Load()) if is_environ(value):
                pass
            case ast.Compare(left=name, comparators=[value]) if is_environ(value):
                pass
            case _:
                continue
        if isinstance(name, ast.Name) and name.id == "name":
            continue  # the reader itself, whose callers are looked at
        found.add(str(name.value) if isinstance(name, ast.Constant) else names[ast.unparse(name)])
    return found


def is_environ(node: ast.expr) -> bool:
    return ast.unparse(node) == "os.environ"


def test_reads_are_found_in_each_form() -> None:
    text = "os.environ.get('A'); os.environ['B']; 'C' in os.environ; setting('D'); os.getenv(URI)"
    assert read_in(ast.parse(text), {"URI": "E"}) == {"A", "B", "C", "D", "E"}
