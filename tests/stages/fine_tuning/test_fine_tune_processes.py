"""Two processes train one network, each on its part of every batch, and end as one would."""

from pathlib import Path

import numpy as np
import pytest

from stages.shared.storage import read_frame
from tests.support.fine_tuning_fixtures import (
    OUTPUT,
    configure,
    copy_untrained,
    outputs,
    run,
    steps_of,
    train_unbroken,
)

pytestmark = pytest.mark.long
KILLED = -9


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world in which two processes trained without being disturbed."""
    return train_unbroken(tmp_path_factory.mktemp("unbroken"), rows=160, processes=2)


@pytest.fixture
def world(unbroken: Path, tmp_path: Path) -> Path:
    return copy_untrained(unbroken, tmp_path / "world")


def test_killed_and_resumed_they_end_with_the_same_bytes(unbroken: Path, world: Path) -> None:
    assert run(world, steps=steps_of(unbroken) // 2) == KILLED
    assert run(world) == 0
    assert outputs(world) == outputs(unbroken)
    assert steps_of(world) < steps_of(unbroken)


def test_they_end_as_one_process_would(unbroken: Path, world: Path) -> None:
    """Sums in another order differ in their last bits only."""
    configure(world, processes=1)
    assert run(world) == 0
    one, two = (read_frame(root / OUTPUT / "out_of_fold.parquet") for root in (world, unbroken))
    assert np.abs(one["p_1"] - two["p_1"]).max() < 1e-3
    assert one["p_1"].std() > 0.01
