"""Processes of one machine that train one network together, each on its part of every batch."""

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist

from stages.runner import lifeline
from stages.shared.errors import PipelineError

Array = np.ndarray[Any, np.dtype[Any]]
T = TypeVar("T")
PATIENCE = timedelta(hours=12)  # the first process may be alone at work for long
PARTING = 5.0  # seconds for a process to end by itself


@dataclass(frozen=True)
class ProcessGroup:
    """This process's place among ``size``; the one of rank 0 alone reads, writes and reports."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def take_shard(self, rows: Array) -> Array:
        """Return this process's rows of a batch, which are sorted by length: parts are even."""
        return rows[self.rank :: self.size]

    def all_reduce(self, tensors: list[torch.Tensor]) -> None:
        """Make each tensor the sum over all processes, in place."""
        if self.size > 1:
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
            dist.all_reduce(flat)
            totals = torch.split(flat, [tensor.numel() for tensor in tensors])
            for tensor, total in zip(tensors, totals, strict=True):
                tensor.copy_(total.view_as(tensor))

    def check_agreement(self, name: str, value: str) -> None:
        """Raise PipelineError unless ``value`` is the same in every process."""
        found: list[str | None] = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(found, value)
        if len(set(found)) > 1:
            raise PipelineError(f"the {self.size} processes hold different {name}: {found}")

    def broadcast(self, ask: Callable[[], T]) -> T:
        """Return in every process what ``ask`` returns in the first."""
        found = [ask() if self.is_main else None]
        if self.size > 1:
            dist.broadcast_object_list(found)
        return found[0]  # type: ignore[return-value]


def run_processes(processes: int, cuda: bool, work: Callable[..., T], *arguments: Any) -> T:
    """Return what ``work(group, *arguments)`` returns in the first of ``processes``: this one.

    The others are its children, and end with it. Raises PipelineError where one of them fails.
    """
    if processes == 1:
        return work(ProcessGroup(), *arguments)
    with tempfile.TemporaryDirectory() as folder:
        meeting = str(Path(folder, "meeting"))
        context = torch.multiprocessing.get_context("spawn")
        others = [
            context.Process(
                target=_run_child, args=(rank, processes, meeting, cuda, work, *arguments)
            )
            for rank in range(1, processes)
        ]
        for process in others:
            process.start()
        try:
            return _run_in_group(0, processes, meeting, cuda, work, *arguments)
        except RuntimeError as error:
            if code := _find_exit_code(others):
                raise PipelineError(
                    f"a process of {processes} ended with code {code}; see above"
                ) from error
            raise
        finally:
            for process in others:
                process.join(PARTING)
                process.kill()


def _find_exit_code(others: list[SpawnProcess]) -> int | None:
    """Return the exit code of a process that failed, if one did.

    Its connection breaks a moment before its end can be seen.
    """
    ended = wait([process.sentinel for process in others], timeout=PARTING)
    for process in others:
        if process.sentinel in ended:
            process.join(PARTING)
    return next((process.exitcode for process in others if process.exitcode), None)


def _run_child(*arguments: Any) -> None:
    lifeline.hold()
    _run_in_group(*arguments)


def _run_in_group(
    rank: int, size: int, meeting: str, cuda: bool, work: Callable[..., T], *arguments: Any
) -> T:
    # Gloo listens on the address of the machine's name unless told otherwise.
    os.environ["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
    dist.init_process_group(
        "nccl" if cuda else "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=size,
        timeout=PATIENCE,
    )
    if cuda:
        torch.cuda.set_device(rank % torch.cuda.device_count())
    try:
        return work(ProcessGroup(rank, size), *arguments)
    finally:
        dist.destroy_process_group()
