"""Killed at any point, the stage goes on from where it was and ends with the same bytes."""

from pathlib import Path

import pytest

from tests.support.fine_tuning_fixtures import (
    CHECKPOINTS,
    SAVE_STEPS,
    configure,
    copy_untrained,
    files,
    outputs,
    run,
    steps_of,
    train_unbroken,
)

pytestmark = pytest.mark.long
KILLED = -9


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world in which the stage ran to its end at once."""
    return train_unbroken(tmp_path_factory.mktemp("unbroken"), rows=80)


@pytest.fixture
def world(unbroken: Path, tmp_path: Path) -> Path:
    """A copy of the world in which the stage has not run."""
    return copy_untrained(unbroken, tmp_path / "world")


def test_two_runs_give_the_same_bytes(unbroken: Path, world: Path) -> None:
    assert run(world) == 0
    assert outputs(world) == outputs(unbroken)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_killed_at_a_step_it_ends_with_the_same_bytes(
    unbroken: Path, world: Path, share: float
) -> None:
    steps = steps_of(unbroken)
    done = round(share * (steps - 1))
    assert run(world, steps=done + 1) == KILLED
    assert run(world) == 0
    assert outputs(world) == outputs(unbroken)
    assert steps_of(world) <= steps - done + SAVE_STEPS - 1


@pytest.mark.parametrize("number", range(1, 19, 4))
def test_killed_while_it_writes_it_ends_with_the_same_bytes(
    unbroken: Path, world: Path, number: int
) -> None:
    assert run(world, writes=number) == KILLED
    assert run(world) == 0
    assert outputs(world) == outputs(unbroken)


def test_killed_again_and_again_it_gets_there(unbroken: Path, world: Path) -> None:
    stride = steps_of(unbroken) // 4
    runs = 1
    while run(world, steps=stride) == KILLED:
        runs += 1
        assert runs < 20
    assert outputs(world) == outputs(unbroken)


def test_few_checkpoints_are_kept_and_none_in_the_end(unbroken: Path, world: Path) -> None:
    run(world, steps=steps_of(unbroken))
    kept = sorted(Path(name).name for name in files(world / CHECKPOINTS))
    assert kept == ["even", "fold-0-0.done", "fold-0-1.done", "odd"]
    run(world)
    assert files(world / CHECKPOINTS) == {}


@pytest.mark.parametrize("damaged", [("even",), ("odd",), ("even", "odd", "fold-0-0.done")])
def test_a_damaged_checkpoint_is_not_used(
    unbroken: Path, world: Path, damaged: tuple[str, ...]
) -> None:
    run(world, steps=round(0.5 * steps_of(unbroken)))
    for name in damaged:
        (path,) = (world / CHECKPOINTS).rglob(name)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert run(world) == 0
    assert outputs(world) == outputs(unbroken)


def test_what_was_kept_for_other_settings_is_not_used(unbroken: Path, world: Path) -> None:
    configure(world, seed=43)
    assert run(world, steps=steps_of(unbroken) // 2) == KILLED
    configure(world)
    assert run(world) == 0
    assert outputs(world) == outputs(unbroken)
    assert steps_of(world) == steps_of(unbroken)
