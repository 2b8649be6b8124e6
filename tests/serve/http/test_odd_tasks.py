"""Tasks of odd names and values: each row is answered alike in every way, and nothing fails.

`python -m benchmarks.serve.odd` does the same for as long as it is told.
"""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from serve.http.app import create_app
from serve.http.settings import Settings
from serve.log.reader import read_predictions
from tests.support.odd_tasks import break_request, check_answers, make_task

SEEDS = (0, 1, 2, 5, 31)  # of which 5 and 31 once failed
BROKEN = 40  # requests to each task


@pytest.mark.parametrize("seed", SEEDS)
def test_an_odd_task_is_answered_alike_in_every_way(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    task = make_task(rng, tmp_path / "models")
    settings = Settings(
        models_dir=tmp_path / "models", reload=False, prediction_log=tmp_path / "log"
    )
    app, statuses = create_app(settings), Counter[int]()
    with asyncio.Runner() as runner:
        span = app.router.lifespan_context(app)
        runner.run(span.__aenter__())
        assert app.shared.catalog.is_ready, app.shared.catalog.refused
        for _ in range(3):
            runner.run(check_answers(app, task, rng))
        for _ in range(BROKEN):
            statuses[runner.run(break_request(app, task, rng))] += 1
        runner.run(span.__aexit__(None, None, None))
    assert statuses.total() == BROKEN
    assert max(statuses) < 500
    found = Counter(row["request_id"] for row in read_predictions(tmp_path / "log"))
    assert found.total() >= 3 * 2  # what was answered was written down
