"""Does one job after the other, and keeps each as soon as it is done."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.fine_tuning import frozen_head
from stages.fine_tuning.calibration import compute_log_loss, fit_temperature
from stages.fine_tuning.checkpoints import CheckpointStore, State, delete_checkpoints
from stages.fine_tuning.examples import Examples
from stages.fine_tuning.hardware import (
    make_deterministic,
    measure_peak_memory,
    select_attention,
    select_device,
    select_dtype,
)
from stages.fine_tuning.jobs import Job
from stages.fine_tuning.pretrained import Pretrained
from stages.fine_tuning.process_group import ProcessGroup
from stages.fine_tuning.reporting import Reporter
from stages.fine_tuning.trainable import Weights, build_trainable, count_layers, merge_weights
from stages.fine_tuning.trainer import ComputeContext, Trainer, plan_steps
from stages.shared.curves import Curve
from stages.shared.encoder import Encoder
from stages.shared.finetuned import compute_mean_logits, read_pad_token

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class FineTuningPlan:
    """All that is to be done, in a form that other processes can be sent.

    ``folder`` and ``fingerprint`` say where unfinished work is kept, and of which inputs it is.
    """

    encoder: Encoder
    pretrained: Pretrained
    examples: Examples
    labels: int
    jobs: list[Job]
    cuda: bool
    folder: Path
    fingerprint: str


@dataclass(frozen=True)
class JobResults:
    """What each job came to, and how fast it went: time, memory, tokens and texts a second."""

    results: list[State]
    measured: dict[str, float]


@dataclass(frozen=True)
class Fit:
    """What a job's training came to; ``logits`` answers rows of the examples by their numbers."""

    weights: Weights
    points: Curve
    logits: Callable[[Array], Array]


def run_jobs(group: ProcessGroup, plan: FineTuningPlan) -> JobResults:
    """Do the jobs of ``plan`` in this process of the ``group``; only the first has results."""
    make_deterministic(plan.encoder.compile)
    torch.set_num_threads(plan.encoder.threads)
    dtype = select_dtype(plan.encoder.precision, plan.cuda)
    context = ComputeContext(
        select_device(group, plan.cuda), dtype, read_pad_token(plan.pretrained.config), group
    )
    reporter = Reporter(count_steps(plan), quiet=not group.is_main)
    store = CheckpointStore(plan.folder / plan.fingerprint)
    if group.is_main:
        delete_checkpoints(plan.folder, but=store.folder)
    runner = JobRunner(plan, context, store, reporter)
    results = [result for job in plan.jobs if (result := runner.run(job))]
    return JobResults(
        results, {**reporter.measure(), "peak_memory_mib": measure_peak_memory(plan.cuda)}
    )


def count_steps(plan: FineTuningPlan) -> list[int]:
    """Return how many steps each job takes unless it stops early; a frozen encoder takes none."""
    if plan.encoder.method == "frozen":
        return [0] * len(plan.jobs)
    lengths = plan.examples.lengths
    return [len(plan_steps(lengths[job.fitted], plan.encoder)[0]) for job in plan.jobs]


@dataclass(frozen=True)
class JobRunner:
    """Does one job at a time."""

    plan: FineTuningPlan
    context: ComputeContext
    store: CheckpointStore
    reporter: Reporter

    def run(self, job: Job) -> State | None:
        """Return what the job came to, kept from before or done now; None but in the first process.

        ``points`` and ``logits`` (held rows x classes), or of a job without held rows ``weights``;
        and ``temperature``, where rows are held out to find it by.
        """
        is_main = self.context.group.is_main
        result = self.store.result(job.name) if is_main else None
        if self.context.group.broadcast(lambda: result is not None):
            self.reporter.skip_fit()
            return result
        fit = self._fit_frozen(job) if self.plan.encoder.method == "frozen" else self._train(job)
        if is_main:
            result = self._conclude(job, fit)
            self.store.keep_result(job.name, result)
        return result

    def _train(self, job: Job) -> Fit:
        """Train on the job's rows, going on from its latest checkpoint if there is one."""
        every, group = self.plan.encoder.save_steps, self.context.group
        trainer = self._build_trainer(job)
        if state := group.broadcast(lambda: self.store.latest(job.name)):
            trainer.resume(state)
        self.reporter.start_fit(trainer.step)
        while not trainer.is_done:
            self.reporter.train_step(trainer)
            if trainer.step % every == 0:
                state = trainer.state()
                if group.is_main:
                    self.store.keep(job.name, trainer.step // every, state)
        self.reporter.end_fit(len(trainer.schedule) - trainer.step)
        trainer.restore_best()
        group.check_agreement("weights", hash_tensors(trainer.trainable))
        weights, texts = merge_weights(trainer.module), self.plan.examples.pieces
        module = trainer.module.eval()
        return Fit(
            weights,
            trainer.points,
            lambda rows: compute_mean_logits(
                module, [texts[row] for row in rows], self.context.pad
            ),
        )

    def _build_trainer(self, job: Job) -> Trainer:
        examples, encoder = self.plan.examples, self.plan.encoder
        fitted, watched = examples.take(job.fitted).split_pieces(), examples.take(job.watched)
        layers = count_layers(self.plan.pretrained.config)
        return Trainer(self._build_network(), encoder, fitted, watched, self.context, layers)

    def _build_network(self) -> torch.nn.Module:
        plan = self.plan
        attention = select_attention(plan.cuda)
        return build_trainable(plan.encoder, plan.pretrained, plan.labels, attention)

    def _fit_frozen(self, job: Job) -> Fit:
        """Fit a head on the job's vectors; its curve is the one point at the end."""
        (module, vectors), plan = self._vectors, self.plan
        fitted, watched = plan.examples.take(job.fitted), plan.examples.take(job.watched)
        weight, bias = frozen_head.fit_head(
            vectors[job.fitted], fitted, plan.labels, plan.encoder.head_c
        )
        logits = vectors @ weight.T + bias
        losses = [
            compute_log_loss(logits[rows], part.y, part.weights, temperature=1.0)
            if len(rows)
            else np.nan
            for rows, part in ((job.fitted, fitted), (job.watched, watched))
        ]
        head = {"head.weight": torch.from_numpy(weight), "head.bias": torch.from_numpy(bias)}
        return Fit(
            {**merge_weights(module), **head},
            [(1, losses[0], losses[1])],
            lambda rows: logits[rows],
        )

    @cached_property
    def _vectors(self) -> tuple[torch.nn.Module, Array]:
        """The encoder as it is, and every text's vector by it (rows x width)."""
        module = self._build_network().eval().to(self.context.device)
        return module, frozen_head.compute_vectors(
            module, self.plan.examples.pieces, self.context.pad
        )

    def _conclude(self, job: Job, fit: Fit) -> State:
        result: State = {"points": [list(point) for point in fit.points]}
        if self.plan.encoder.validation_fraction:
            watched = self.plan.examples.take(job.watched)
            degrees = fit_temperature(fit.logits(job.watched), watched.y, watched.weights)
            result["temperature"] = degrees
        if len(job.held):
            return {**result, "logits": torch.from_numpy(fit.logits(job.held))}
        return {**result, "weights": fit.weights}


def hash_tensors(tensors: list[torch.nn.Parameter]) -> str:
    """Return the SHA-256 over the tensors' numbers."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
