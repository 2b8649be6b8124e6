"""Posts the report as the one comment of its pull request: ``python -m commands comment``.

Run by ``.github/workflows/comment.yaml`` for the pull request from HEAD (``owner:branch``) at SHA,
whose report was built in RUN. What it posts was written by that request's own code.
"""

import urllib.parse
from pathlib import Path

from commands.review.github import ask_github, list_items, read_setting
from commands.review.publishing import link_pictures
from stages.shared.errors import PipelineError, run_plainly

REPORT = Path("data/report/report.md")
MARK = "<!-- the report of this pull request -->"
AUTHOR = "github-actions[bot]"
MOST_CHARACTERS = 65_536  # of a comment
CUT = "\n\n… cut off here: the whole report is in the run's summary."


def post_comment() -> None:
    """Write the comment, or write it anew where there is one."""
    number = find_pull_request(read_setting("HEAD"), read_setting("SHA"))
    if number is None:
        print("no open pull request has this commit at its head: nothing to post")
        return
    text = write_body(
        REPORT.read_text(encoding="utf-8") if REPORT.exists() else "", read_setting("RUN")
    )
    if (own := find_own_comment(number)) is None:
        answer = ask_github("POST", f"issues/{number}/comments", {"body": text})
    else:
        answer = ask_github("PATCH", f"issues/comments/{own}", {"body": text})
    print(answer["html_url"])


def find_pull_request(head: str, sha: str) -> int | None:
    """Return the number of the open pull request from ``head``, if it still is at ``sha``."""
    query = urllib.parse.urlencode({"state": "open", "head": head})
    found = [
        pull["number"] for pull in ask_github("GET", f"pulls?{query}") if pull["head"]["sha"] == sha
    ]
    return found[0] if found else None


def find_own_comment(number: int) -> int | None:
    """Return the id of the comment that an earlier run left; a person's is never taken for it."""
    for comment in list_items(f"issues/{number}/comments"):
        if comment["user"]["login"] == AUTHOR and comment["body"].startswith(MARK):
            return int(comment["id"])
    return None


def write_body(report: str, run: str) -> str:
    """Return the comment's text, marked as ours and no longer than GitHub takes."""
    if not urllib.parse.urlsplit(run).scheme.startswith("http"):
        raise PipelineError(f"RUN = {run!r} is no address of a workflow's run")
    text = link_pictures(report, run) or "The report could not be built."
    text = f"{MARK}\n{text.rstrip()}\n\n[The run, with its pictures]({run}#artifacts)"
    if len(text) <= MOST_CHARACTERS:
        return text
    ending = f"{CUT}\n[The run]({run})"
    return text[: MOST_CHARACTERS - len(ending)] + ending


if __name__ == "__main__":
    run_plainly("comment", post_comment)
