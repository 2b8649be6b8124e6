"""Opens a pull request with a new ``dvc.lock`` and its report: ``python -m commands propose``.

Run by ``.github/workflows/retrain.yaml``, against the branch BASE. The branch ``retrained`` is its
own: it is written anew each time, and so is the pull request that is open for it.
"""

from commands.review.comment import REPORT, write_body
from commands.review.github import ask_github, make_run_address, read_setting
from commands.workspace.git import run_git
from stages.shared.errors import run_plainly

BRANCH = "retrained"
LOCK = "dvc.lock"
AUTHOR = (
    "-c", "user.name=github-actions[bot]",
    "-c", "user.email=41898282+github-actions[bot]@users.noreply.github.com",
)  # fmt: skip
# Git asks this for a password: the token stays in the environment, out of files and arguments.
HELPER = '!f() { echo username=x-access-token; echo "password=$GITHUB_TOKEN"; }; f'


def propose_lock() -> None:
    """Commit, push and open a pull request, where there is something new."""
    if not run_git("status", "--porcelain", "--", LOCK):
        print("the sources have nothing new: dvc.lock is as it was")
        return
    base = read_setting("BASE")
    run_git("checkout", "--quiet", "-B", BRANCH)
    run_git(*AUTHOR, "commit", "--quiet", "--message", "Retrain on what the sources hold now", LOCK)
    run_git("-c", f"credential.helper={HELPER}", "push", "--quiet", "--force", "origin", BRANCH)
    print(open_pull_request(base))


def open_pull_request(base: str) -> str:
    """Open the pull request or bring it up to date; return its address."""
    text = write_body(REPORT.read_text(encoding="utf-8"), make_run_address())
    owner = read_setting("GITHUB_REPOSITORY").split("/")[0]
    there = ask_github("GET", f"pulls?state=open&head={owner}:{BRANCH}")
    if there:
        answer = ask_github("PATCH", f"pulls/{there[0]['number']}", {"body": text})
    else:
        content = {"title": "Retrained models", "head": BRANCH, "base": base, "body": text}
        answer = ask_github("POST", "pulls", content)
    return str(answer["html_url"])


if __name__ == "__main__":
    run_plainly("propose", propose_lock)
