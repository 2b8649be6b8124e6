"""Opens a pull request with a new ``dvc.lock`` and its report: ``python -m commands propose``.

Run by ``.github/workflows/retrain.yaml``, against the branch BASE. The branch ``retrained`` is its
own: it is written anew each time, and so is the pull request that is open for it.
"""

from commands.review.comment import REPORT, body
from commands.review.github import ask, run_address, setting
from commands.workspace.git import git
from stages.shared.errors import run_plainly

BRANCH = "retrained"
LOCK = "dvc.lock"
AUTHOR = (
    "-c", "user.name=github-actions[bot]",
    "-c", "user.email=41898282+github-actions[bot]@users.noreply.github.com",
)  # fmt: skip
# Git asks this for a password: the token stays in the environment, out of files and arguments.
HELPER = '!f() { echo username=x-access-token; echo "password=$GITHUB_TOKEN"; }; f'


def propose() -> None:
    """Commit, push and open a pull request, where there is something new."""
    if not git("status", "--porcelain", "--", LOCK):
        print("the sources have nothing new: dvc.lock is as it was")
        return
    base = setting("BASE")
    git("checkout", "--quiet", "-B", BRANCH)
    git(*AUTHOR, "commit", "--quiet", "--message", "Retrain on what the sources hold now", LOCK)
    git("-c", f"credential.helper={HELPER}", "push", "--quiet", "--force", "origin", BRANCH)
    print(open_pull_request(base))


def open_pull_request(base: str) -> str:
    """Open the pull request or bring it up to date; return its address."""
    text = body(REPORT.read_text(encoding="utf-8"), run_address())
    owner = setting("GITHUB_REPOSITORY").split("/")[0]
    there = ask("GET", f"pulls?state=open&head={owner}:{BRANCH}")
    if there:
        answer = ask("PATCH", f"pulls/{there[0]['number']}", {"body": text})
    else:
        content = {"title": "Retrained models", "head": BRANCH, "base": base, "body": text}
        answer = ask("POST", "pulls", content)
    return str(answer["html_url"])


if __name__ == "__main__":
    run_plainly("propose", propose)
