"""Bodies without sense: each is refused with a reason, and none makes the server fail."""

from collections import Counter
from pathlib import Path

import pytest

from serve.http.app import create_app
from serve.http.settings import Settings
from tests.support.explained_models import write_explained_heart
from tests.support.fuzzing import fuzz, targets

CASES = 10_000


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_explained_heart(folder)
    return folder


def test_ten_thousand_broken_bodies_are_answered_or_refused_with_a_reason(models: Path) -> None:
    app = create_app(Settings(models_dir=models, reload=False))
    statuses: Counter[tuple[str, int]] = Counter()
    for sent in fuzz(app, CASES, seed=20_261_121):
        assert sent.is_sound, (sent.target.path, sent.kind, sent.body, sent.status, sent.answer)
        statuses[sent.target.path, sent.status] += 1
    assert statuses.total() == CASES
    for target in targets()[:-1]:  # all but the one that reads no body
        refused = sum(statuses[target.path, code] for code in (400, 415, 422))
        assert refused > CASES / len(targets()) / 4
