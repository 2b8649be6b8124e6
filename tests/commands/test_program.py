"""The command-line program: its help acts on nothing, and what is misspelt is refused."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from commands.program import ROOMS, app
from commands.shared.output import format_table
from tests.support.clone import ROOT, Clone, environment, make_clone

NAMES = sorted(get_command(app).commands)  # type: ignore[attr-defined]
# What takes long to import, or is not in a server's environment.
HEAVY = {"dvc", "hydra", "lightgbm", "mlflow", "numpy", "pandas", "sklearn", "torch"}
runner = CliRunner()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_clone(tmp_path_factory.mktemp("program"))


@pytest.fixture
def inside(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> Clone:
    monkeypatch.chdir(clone.path)
    return clone


def read_state(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return the time and size of every file, git's own left out."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in found}


def run_program(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "commands", *words]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True)


def test_the_help_lists_each_command_under_its_room() -> None:
    done = run_program("--help")
    assert done.returncode == 0
    places = [done.stdout.index(f"{title}:\n") for title in ROOMS]
    assert places == sorted(places)
    for title, room in ROOMS.items():
        listed = done.stdout.split(f"{title}:\n")[1].split("\n\n")[0]
        for command in room.registered_commands:
            assert command.callback is not None
            assert f"\n  {command.callback.__name__.replace('_', '-')} " in f"\n{listed}"


@pytest.mark.parametrize("name", NAMES)
def test_help_changes_no_file(inside: Clone, name: str) -> None:
    before = read_state(inside.path)
    done = runner.invoke(app, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert f"Usage: root {name}" in done.output
    assert read_state(inside.path) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelt_option_is_refused_and_changes_no_file(inside: Clone, name: str) -> None:
    before = read_state(inside.path)
    done = runner.invoke(app, [name, "--chekc"])
    assert done.exit_code == 2
    assert "No such option: --chekc" in done.output
    assert read_state(inside.path) == before


def test_help_loads_nothing_that_takes_long() -> None:
    code = (
        "import sys\n"
        "from commands.program import app\n"
        "for name in sys.argv[1:]:\n"
        "    app([name, '--help'] if name else ['--help'], standalone_mode=False)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-c", code, "", *NAMES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words",
    [
        ["register", "haert"],
        ["promote", "haert", "--by", "ada", "--why", "better"],
        ["rollback", "haert", "--by", "ada", "--why", "worse"],
        ["history", "haert"],
        ["adopt", "haert", "forest"],
        ["set-reference", "haert"],
    ],
    ids=lambda words: words[0],
)
@pytest.mark.usefixtures("inside")
def test_an_unknown_task_is_refused_with_the_known_ones(words: list[str]) -> None:
    done = runner.invoke(app, words)
    assert done.exit_code == 2
    assert "there is no conf/task/haert.yaml; choose from: heart, housing, sentiment" in done.output


def test_an_unknown_model_and_search_are_refused_with_the_known_ones(inside: Clone) -> None:
    done = runner.invoke(app, ["adopt", "heart", "florest"])
    models = sorted(path.stem for path in (inside.path / "conf/model").glob("*.yaml"))
    assert f"there is no conf/model/florest.yaml; choose from: {', '.join(models)}" in done.output
    assert done.exit_code == 2
    done = runner.invoke(app, ["sweep", "dept"])
    assert "there is no conf/search/dept.yaml; choose from: depth, regularisation" in done.output
    assert done.exit_code == 2


@pytest.mark.parametrize("words", [["heart"], ["heart@"], ["@champion"], [""]])
def test_what_names_no_registered_model_is_refused(words: list[str]) -> None:
    for name in ("pull", "rebuild"):
        done = runner.invoke(app, [name, *words])
        assert done.exit_code == 2
        assert f"{words[0]!r} is no TASK@VERSION" in done.output


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("blank", ["--by", "--why"])
def test_a_blank_name_or_reason_is_refused(blank: str) -> None:
    words = {"--by": "ada", "--why": "better"} | {blank: "  "}
    done = runner.invoke(
        app, ["promote", "heart", *(part for pair in words.items() for part in pair)]
    )
    assert done.exit_code == 2
    assert f"Invalid value for '{blank}': it is blank" in done.output


def test_a_command_that_fails_says_why_in_a_line(clone: Clone) -> None:
    done = clone.run(sys.executable, "-m", "commands", "set-reference", "heart", check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "\nset-reference: data/validated/heart holds no table that passed: "
        "run `dvc repro validate@heart` first\n\n"
    )


def test_a_history_is_read_by_a_program(clone: Clone) -> None:
    done = clone.run(sys.executable, "-m", "commands", "history", "heart", "--json")
    assert json.loads(done.stdout) == {
        "task": "heart",
        "transitions": [],
        "registry_checked": False,
    }


@pytest.mark.parametrize("name", ["comment", "propose", "summary"])
def test_a_workflow_runs_it_without_an_environment(name: str, tmp_path: Path) -> None:
    """With the interpreter's own library alone (-S: no site-packages), it gets as far as asking."""
    command = [sys.executable, "-S", "-m", f"commands.review.{name}"]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    (tmp_path / "dvc.lock").touch()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"\n{name}: " in done.stderr
    assert "is not set: this command is for a workflow" in done.stderr


def test_the_console_script_is_the_same_program() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, name = project["scripts"]["pipeline"].partition(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_a_table_is_as_wide_as_its_widest_cells_and_never_cut() -> None:
    text = format_table("three", ("name", "n"), [("a" * 200, "1"), ("b", "22")])
    assert text == f"three\nname{' ' * 198}n\n{'a' * 200}  1\nb{' ' * 201}22"


def test_on_a_terminal_a_table_is_drawn_and_its_text_is_taken_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    text = re.sub(r"\x1b\[[\d;]*m", "", format_table("best", ("name", "n"), [("[b]" * 20, "1")]))
    title, top, head, *_ = text.splitlines()
    assert (title.strip(), top[0], top[-1]) == ("best", "┏", "┓")
    assert {len(line) for line in text.splitlines()[1:]} == {40}
    assert re.findall(r"\w+", head) == ["name", "n"]
    assert "".join(re.findall(r"^│ (\S+)", text, re.M)) == "[b]" * 20
