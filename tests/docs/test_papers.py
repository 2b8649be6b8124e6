"""What strangers and tools look for at the top of a repository is there, and in its form."""

import hashlib
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.clone import ROOT, environment
from tests.support.readme import (
    COMMANDS,
    DECISIONS,
    block,
    commands_table,
    decisions_table,
    targets_table,
)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DEVCONTAINER: dict[str, Any] = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
# Of the text that apache.org publishes as LICENSE-2.0.txt.
APACHE = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
SECTIONS = ("## Context", "## Decision", "## Consequences", "## Alternatives")


def test_the_licence_is_apaches_to_the_letter() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["readme"] == "README.md"


def test_the_changelog_names_the_projects_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.M)
    assert versions[0] == ("Unreleased", "")
    assert PROJECT["version"] in dict(versions)
    kinds = set(re.findall(r"^### (.+)$", text, re.M))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_devcontainer_installs_with_make() -> None:
    assert DEVCONTAINER["postCreateCommand"].endswith("make install")
    assert re.search(r"^install:", (ROOT / "Makefile").read_text(), re.M)
    minor = re.search(r":3\.(\d+)", DEVCONTAINER["image"])
    assert minor
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
    assert 11 <= int(minor[1]) <= 13


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_are_what_github_takes(path: Path) -> None:
    kind = "config" if path.stem == "config" else "forms"
    done = subprocess.run(
        ["check-jsonschema", "--builtin-schema", f"vendor.github-issue-{kind}", str(path)],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_nobody_owns_code_alone() -> None:
    assert not [*ROOT.glob("CODEOWNERS"), *ROOT.glob("*/CODEOWNERS")]


@pytest.mark.parametrize(
    "path", sorted(DECISIONS.parent.glob("[0-9]*.md")), ids=lambda path: path.stem
)
def test_a_decision_has_its_sections_in_order(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    places = [text.find(f"\n{section}\n") for section in SECTIONS]
    assert -1 not in places
    assert places == sorted(places)


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    numbers = [int(path.name[:4]) for path in sorted(DECISIONS.parent.glob("[0-9]*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert block(DECISIONS.read_text(encoding="utf-8"), "decisions") == decisions_table()


def test_every_target_and_command_is_listed() -> None:
    text = COMMANDS.read_text(encoding="utf-8")
    assert block(text, "targets") == targets_table(), "run `make readme`"
    assert block(text, "commands") == commands_table(), "run `make readme`"
    assert "`make repro`" in targets_table()
    assert "`history TASK [--at] [--verify] [--json]`" in commands_table()


def test_a_name_in_a_file_of_code_is_there() -> None:
    """As in: add it to `CHECKS` in [the file](stages/validating/checks.py)."""
    text = " ".join((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    named = re.findall(r"`([A-Z]\w+)`[^`\[\].]*\[[^\]]+\]\(([^)]+\.py)\)", text)
    assert len(named) > 2
    assert [it for it in named if f"\n{it[0]}" not in (ROOT / it[1]).read_text("utf-8")] == []
