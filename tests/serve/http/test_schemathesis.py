"""The service keeps what its OpenAPI document says, whatever is asked of it, with every check on.

A few cases for each operation; ``python -m benchmarks.serve.fuzz`` asks ten thousand.
"""

from pathlib import Path

from benchmarks.serve.fuzz import SETTINGS, ask
from tests.support.explained_models import write_explained_heart
from tests.support.serving import server_process

CASES = 20


def test_every_operation_keeps_what_the_document_says(tmp_path: Path) -> None:
    write_explained_heart(tmp_path)
    with server_process(tmp_path, **SETTINGS) as server:
        done = ask(server, CASES, seed=1)
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-2_000:]
