"""Two processes train one network, each on its part of every batch, and end as one would."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stages.fine_tuning.process_group import ProcessGroup, run_processes
from stages.shared.errors import PipelineError
from stages.shared.storage import read_frame
from tests.support.fine_tuning_fixtures import (
    OUTPUT,
    build_fixture,
    configure,
    outputs,
    run,
    steps_of,
)

KILLED = -9


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world in which two processes trained without being disturbed."""
    root = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        build_fixture(root)
    configure(root, processes=2)
    assert run(root) == 0
    return root


@pytest.fixture
def world(unbroken: Path, tmp_path: Path) -> Path:
    root = tmp_path / "world"
    shutil.copytree(unbroken, root, symlinks=True)
    shutil.rmtree(root / "data/candidates")
    return root


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


def gathered(group: ProcessGroup) -> int:
    """Return what the first process tells all of them."""
    return group.broadcast(lambda: 40 + group.size)


def disagreeing(group: ProcessGroup) -> None:
    group.check_agreement("ranks", str(group.rank))


def dying(group: ProcessGroup) -> None:
    if not group.is_main:
        os._exit(7)
    group.broadcast(lambda: None)


def test_what_the_first_process_finds_is_returned() -> None:
    assert run_processes(2, False, gathered) == 42


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (disagreeing, r"the 2 processes hold different ranks: \['0', '1'\]"),
        (dying, "a process of 2 ended with code 7"),
    ],
)
def test_a_process_that_fails_ends_all(work: Callable[[ProcessGroup], None], message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        run_processes(2, False, work)
