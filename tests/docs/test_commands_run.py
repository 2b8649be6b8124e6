"""Commands in documents that are marked to run do run, one after the other, in a fresh clone.

``<!-- run -->`` before a block: each command succeeds. ``run: fails``: the last one fails.
``run: served``: a server with the clone's models answers. ``run: refused``: it refuses.
``file: PATH``: the reader writes the block to PATH. ``edit: PATH``: the block is a diff of PATH.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clone import ROOT, Clone
from tests.support.documents import DOCUMENTS, Block, blocks
from tests.support.serving import Server, server_process

MARKED = {it: [block for block in blocks(it) if block.kind] for it in DOCUMENTS}
RUN = [it for it in DOCUMENTS if any(block.kind == "run" for block in MARKED[it])]
WORDS = {"", "fails", "served", "refused"}
# The environment is that of the tests: the clone builds none of its own.
PRELUDE = 'set -e; make() { command make -o .venv/.ready "$@"; }'
SECONDS = 600


@pytest.fixture(scope="module")
def cache(baseline: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline's cache for all clones: what two documents run is run for the first alone."""
    shared = tmp_path_factory.mktemp("cache") / "cache"
    shutil.copytree(baseline / "run/.dvc/cache", shared)
    return shared


@pytest.fixture
def clone(baseline: Path, cache: Path, tmp_path: Path) -> Clone:
    left_out = shutil.ignore_patterns("cache")
    shutil.copytree(baseline / "run", tmp_path / "run", symlinks=True, ignore=left_out)
    found = Clone(tmp_path / "run")
    found.run("dvc", "cache", "dir", "--local", str(cache))
    return found


@pytest.fixture
def server(clone: Clone) -> Iterator[Server]:
    with server_process(clone.path / "models", default_task="heart") as started:
        yield started


@pytest.mark.parametrize("document", RUN, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_document_can_be_followed(document: Path, clone: Clone, server: Server) -> None:
    if not shutil.which("curl"):
        pytest.skip("no curl here")
    for block in MARKED[document]:
        follow(block, clone, server)


def test_every_mark_is_known() -> None:
    marked = [block for found in MARKED.values() for block in found]
    assert {block.word for block in marked if block.kind == "run"} <= WORDS
    assert [block.where for block in marked if block.kind == "run" and not block.commands] == []
    assert len(RUN) > 4


def follow(block: Block, clone: Clone, server: Server) -> None:
    """Do what the reader does with a block."""
    if block.kind == "file":
        clone.write(block.word, block.text)
    elif block.kind == "edit":
        clone.replace(block.word, *sides(block.text))
    else:
        *before, last = [run(line, clone, server) for line in block.commands]
        failed = [it.args[-1] + it.stdout + it.stderr for it in before if it.returncode]
        assert failed == [], block.where
        assert bool(last.returncode) == (block.word == "fails"), last.stdout + last.stderr
        if block.word in ("served", "refused"):
            check_answers([*before, last], block)


def check_answers(done: list["subprocess.CompletedProcess[str]"], block: Block) -> None:
    """A refusal has ``detail``, as FastAPI has it; an answer has not."""
    asked = [it for it in done if "curl" in it.args[-1]]
    assert asked, block.where
    for answer in asked:
        assert ('"detail"' in answer.stdout) == (block.word == "refused"), answer.stdout
        assert answer.stdout.strip(), block.where


def run(line: str, clone: Clone, server: Server) -> "subprocess.CompletedProcess[str]":
    words = line.replace("localhost:8000", server.url.removeprefix("http://"))
    words = words.replace("/tmp/", f"{clone.path.parent}/")
    return clone.run("timeout", str(SECONDS), "bash", "-c", f"{PRELUDE}; {words}", check=False)


def sides(diff: str) -> tuple[str, str]:
    """Return what a diff takes away and what it puts there, with the lines around."""
    lines = diff.splitlines()
    old = [line[1:] for line in lines if line[:1] in " -"]
    new = [line[1:] for line in lines if line[:1] in " +"]
    return "\n".join(old) + "\n", "\n".join(new) + "\n"
