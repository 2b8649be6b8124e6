"""Commands and paths that the documents name exist: targets, commands, options, modules, files."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from dvc.cli import parse_args

from commands.program import app
from tests.support.clone import ROOT
from tests.support.documents import DOCUMENTS, blocks, code_spans

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*)(?: [a-z-]+)*:", MAKEFILE, re.M))
PROGRAM: Any = typer.main.get_command(app)
# Programs of others: what follows them is theirs.
OTHERS = {"cat", "cp", "curl", "git", "mkdir", "mlflow", "mv", "sed", "source", "uv", "uvicorn"}
ASSIGNMENT = re.compile(r"[A-Z_]+=")
BLANK = re.compile(r"…|\b(NAME|TASK|MODEL|FOLDER|VERB|FILE|COLUMN|SEARCH)\b|[<>{}]")
BEGINS = re.compile(r"(make|python|pytest|dvc) ")
FOLDERS = (".devcontainer", ".github", "benchmarks", "commands", "conf", "docs", "serve", "stages")
PATH = re.compile(rf"({'|'.join(map(re.escape, FOLDERS))}|tests|data/(sample|accepted))/[\w./-]*")
# What a reader writes, or what a command makes there.
MADE = re.compile(r"conf/(model/extra_trees|encoder/mine|task/churn)\.yaml|data/accepted/.+\.json")


def simple(line: str) -> Iterator[list[str]]:
    """Cut a line into commands without pipes and redirections, each into its words."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("|&;"):
            if words:
                yield words
            words = []
        else:
            words.append(word)


def named(document: Path) -> Iterator[str]:
    """Yield each command of the console blocks, and each that stands within a line."""
    for block in blocks(document):
        if block.language == "console":
            yield from block.commands
    for span in code_spans(document):
        if BEGINS.match(span):
            yield span


NAMED = [
    (f"{document.relative_to(ROOT)}: {shlex.join(words)}", words)
    for document in DOCUMENTS
    for line in named(document)
    for words in simple(line)
]


def problem(words: list[str]) -> str:
    """Return what is wrong with a command; nothing where it can be run as it stands."""
    while ASSIGNMENT.match(words[0]):
        words = words[1:]
    words = words[: words.index(">")] if ">" in words else words
    match words:
        case ["make", *rest]:
            return make_problem(rest)
        case ["python", "-m", "commands", name, *rest]:
            return command_problem(name, rest)
        case ["python", "-m", module, *_]:
            found = BLANK.search(module) or importlib.util.find_spec(module)
            return "" if found else f"there is no module {module}"
        case ["python", path, *_] if not path.startswith("-"):
            return "" if (ROOT / path).exists() else f"there is no {path}"
        case ["pytest", *rest]:
            lost = [it for it in rest if it.startswith("tests/") and not (ROOT / it).exists()]
            return f"there is no {lost}" if lost else ""
        case ["dvc", *rest]:
            return dvc_problem(rest)
    return "" if words[0] in OTHERS or words[0] == "python" else f"unknown program {words[0]}"


def make_problem(words: list[str]) -> str:
    targets = [it for it in words if "=" not in it]
    variables = [it.partition("=")[0] for it in words if "=" in it]
    if unknown := [it for it in targets if it not in TARGETS]:
        return f"there is no target {unknown}"
    unused = [it for it in variables if not re.search(rf"\$+[({{]?{it}\b|\b{it} \?=", MAKEFILE)]
    return f"the Makefile uses no {unused}" if unused else ""


def command_problem(name: str, words: list[str]) -> str:
    if BLANK.search(name):
        return ""
    if name not in PROGRAM.commands:
        return f"there is no command {name}"
    options = {it for param in PROGRAM.commands[name].params for it in param.opts} | {"--help"}
    used = {it.partition("=")[0] for it in words if it.startswith("-")}
    return f"{name} has no {used - options}" if used - options else ""


def dvc_problem(words: list[str]) -> str:
    try:
        parse_args(words)
    except Exception as error:  # noqa: BLE001 - DVC's parser has its own, which hides its base
        return f"dvc does not take that: {error}"
    except SystemExit:
        return "dvc does not take that"
    return ""


def test_enough_commands_are_named() -> None:
    assert len(NAMED) > 100


@pytest.mark.parametrize("words", [it[1] for it in NAMED], ids=[it[0] for it in NAMED])
def test_the_command_can_be_run_as_it_stands(words: list[str]) -> None:
    assert problem(words) == ""


@pytest.mark.parametrize(
    "line",
    [
        "make cheese",
        "make report BRANCH=main",
        "python -m commands cheese",
        "python -m commands history heart --cheese",
        "python -m serve.cheese",
        "python docs/cheese.py",
        "pytest tests/cheese.py",
        "dvc cheese",
        "dvc exp run --cheese",
        "cheese",
    ],
)
def test_what_is_wrong_is_found(line: str) -> None:
    assert problem(line.split()) != ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_named_exists(document: Path) -> None:
    spans = [it for it in code_spans(document) if PATH.fullmatch(it)]
    lost = [it for it in spans if not MADE.fullmatch(it) and not BLANK.search(it)]
    assert [it for it in lost if not (ROOT / it).exists()] == []
