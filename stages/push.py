"""Sends what dvc.lock names, and the run cache, to the remote: ``python -m stages.push``.

Stopped at any point, it goes on from there when it is run again (``make push``). DVC remembers what
it once saw in a remote, and would not send again what was lost there: here it looks anew.
"""

import tempfile

from dvc.repo import Repo

from stages.shared.declare import run_plainly
from stages.shared.errors import PipelineError
from stages.sharing.remote import connect, described, dvc, missing, shortened
from stages.verifying.tracked import tracked


def main() -> None:
    """Push; fail where the remote then lacks something that a fresh clone would need."""
    repo = Repo()
    remote = connect(repo)
    with tempfile.TemporaryDirectory() as folder:
        pushed = dvc("push", "--run-cache", DVC_SITE_CACHE_DIR=folder)
    lacking = described(remote, missing(remote, tracked(repo)), "is neither in the cache nor at")
    if lacking:
        raise PipelineError(
            f"a fresh clone would miss this:\n{shortened(lacking)}\nrun `make repro`"
        )
    if not pushed:
        raise PipelineError(
            "not everything was sent (see above): run it again, it goes on from there"
        )


if __name__ == "__main__":
    run_plainly("push", main)
