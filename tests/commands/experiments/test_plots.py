"""The page of plots says what it shows: the commit, whether it was changed since, and when."""

import re
from pathlib import Path

import pytest

from commands.experiments.plots import PAGE, describe_origin
from tests.support.clone import Clone, commit


def test_the_page_names_commit_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert re.fullmatch(r"Drawn \d{4}-\d\d-\d\d \d\d:\d\d \S+\.", describe_origin())
    clone = Clone(tmp_path)
    clone.run("git", "init", "-q")
    clone.run("git", "config", "user.name", "test")
    clone.run("git", "config", "user.email", "test@localhost")
    clone.write("a.txt", "1")
    commit(clone, "First <plots>")
    short = clone.run("git", "rev-parse", "--short", "HEAD").stdout.strip()
    assert re.match(rf"Commit {short} of [\d: -]+: First <plots>\. Drawn ", describe_origin())
    clone.write("a.txt", "2")
    assert "First <plots>, and changes that are not committed. Drawn" in describe_origin()
    for key in ("{name}", "{origin}", "{{plot_divs}}"):
        assert key in PAGE
