"""What processes in a group tell each other, and that one which fails ends all.

Apart from the tests of training: a process that is started here imports this file, and torch alone.
"""

import os
from collections.abc import Callable

import pytest

from stages.fine_tuning.process_group import ProcessGroup, run_processes
from stages.shared.errors import PipelineError


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
