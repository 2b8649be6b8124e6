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
from stages.fine_tuning.calibration import log_loss, temperature
from stages.fine_tuning.checkpoints import Kept, State, forget
from stages.fine_tuning.examples import Examples
from stages.fine_tuning.hardware import (
    attention_for,
    compute_steadily,
    device_of,
    dtype_for,
    peak_memory_mib,
)
from stages.fine_tuning.jobs import Job
from stages.fine_tuning.learning import Learner, Place, planned
from stages.fine_tuning.pretrained import Pretrained
from stages.fine_tuning.reporting import Reporter
from stages.fine_tuning.team import Team
from stages.fine_tuning.trainee import Weights, layers_of, make_trainee, merged_weights
from stages.shared.curves import Curve
from stages.shared.encoder import Encoder
from stages.shared.finetuned import compute_logits, read_pad_token

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Order:
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
class Done:
    """What each job came to, and how fast it went: time, memory, tokens and texts a second."""

    results: list[State]
    measured: dict[str, float]


@dataclass(frozen=True)
class Fit:
    """What a job's training came to; ``logits`` answers rows of the examples by their numbers."""

    weights: Weights
    points: Curve
    logits: Callable[[Array], Array]


def do_all(team: Team, order: Order) -> Done:
    """Do the jobs of ``order`` in this process of the ``team``; only the first has results."""
    compute_steadily()
    torch.set_num_threads(order.encoder.threads)
    dtype = dtype_for(order.encoder.precision, order.cuda)
    place = Place(device_of(team, order.cuda), dtype, read_pad_token(order.pretrained.config), team)
    reporter = Reporter(planned_steps(order), quiet=not team.leads)
    kept = Kept(order.folder / order.fingerprint)
    if team.leads:
        forget(order.folder, but=kept.folder)
    workshop = Workshop(order, place, kept, reporter)
    results = [result for job in order.jobs if (result := workshop.run(job))]
    return Done(results, {**reporter.measured(), "peak_memory_mib": peak_memory_mib(order.cuda)})


def planned_steps(order: Order) -> list[int]:
    """Return how many steps each job takes unless it stops early; a frozen encoder takes none."""
    if order.encoder.method == "frozen":
        return [0] * len(order.jobs)
    lengths = order.examples.lengths
    return [len(planned(lengths[job.fitted], order.encoder)[0]) for job in order.jobs]


@dataclass(frozen=True)
class Workshop:
    """Does one job at a time."""

    order: Order
    place: Place
    kept: Kept
    reporter: Reporter

    def run(self, job: Job) -> State | None:
        """Return what the job came to, kept from before or done now; None but in the first process.

        ``points`` and ``logits`` (held rows x classes), or of a job without held rows ``weights``;
        and ``temperature``, where rows are held out to find it by.
        """
        leads = self.place.team.leads
        result = self.kept.result(job.name) if leads else None
        if self.place.team.tell(lambda: result is not None):
            self.reporter.skips()
            return result
        fit = self._frozen(job) if self.order.encoder.method == "frozen" else self._trained(job)
        if leads:
            result = self._result(job, fit)
            self.kept.keep_result(job.name, result)
        return result

    def _trained(self, job: Job) -> Fit:
        """Train on the job's rows, going on from its latest checkpoint if there is one."""
        every, team = self.order.encoder.save_steps, self.place.team
        learner = self._learner(job)
        if state := team.tell(lambda: self.kept.latest(job.name)):
            learner.resume(state)
        self.reporter.starts(learner.step)
        while not learner.is_done:
            self.reporter.learns(learner)
            if learner.step % every == 0:
                state = learner.state()
                if team.leads:
                    self.kept.keep(job.name, learner.step // every, state)
        self.reporter.ends(len(learner.plan) - learner.step)
        learner.keep_best()
        team.check_agreement("weights", fingerprint(learner.changing))
        weights, ids = merged_weights(learner.module), self.order.examples.ids
        module = learner.module.eval()
        return Fit(
            weights,
            learner.points,
            lambda rows: compute_logits(module, [ids[row] for row in rows], self.place.pad),
        )

    def _learner(self, job: Job) -> Learner:
        examples, encoder = self.order.examples, self.order.encoder
        fitted, watched = examples.take(job.fitted), examples.take(job.watched)
        layers = layers_of(self.order.pretrained.config)
        return Learner(self._trainee(), encoder, fitted, watched, self.place, layers)

    def _trainee(self) -> torch.nn.Module:
        order = self.order
        attention = attention_for(order.cuda)
        return make_trainee(order.encoder, order.pretrained, order.labels, attention)

    def _frozen(self, job: Job) -> Fit:
        """Fit a head on the job's vectors; its curve is the one point at the end."""
        (module, vectors), order = self._vectors, self.order
        fitted, watched = order.examples.take(job.fitted), order.examples.take(job.watched)
        weight, bias = frozen_head.fitted(
            vectors[job.fitted], fitted, order.labels, order.encoder.head_c
        )
        logits = vectors @ weight.T + bias
        losses = [
            log_loss(logits[rows], part.y, part.weights, temperature=1.0) if len(rows) else np.nan
            for rows, part in ((job.fitted, fitted), (job.watched, watched))
        ]
        head = {"head.weight": torch.from_numpy(weight), "head.bias": torch.from_numpy(bias)}
        return Fit(
            {**merged_weights(module), **head},
            [(1, losses[0], losses[1])],
            lambda rows: logits[rows],
        )

    @cached_property
    def _vectors(self) -> tuple[torch.nn.Module, Array]:
        """The encoder as it is, and every text's vector by it (rows x width)."""
        module = self._trainee().eval().to(self.place.device)
        return module, frozen_head.vectors(module, self.order.examples.ids, self.place.pad)

    def _result(self, job: Job, fit: Fit) -> State:
        result: State = {"points": [list(it) for it in fit.points]}
        if self.order.encoder.validation_fraction:
            watched = self.order.examples.take(job.watched)
            degrees = temperature(fit.logits(job.watched), watched.y, watched.weights)
            result["temperature"] = degrees
        if len(job.held):
            return {**result, "logits": torch.from_numpy(fit.logits(job.held))}
        return {**result, "weights": fit.weights}


def fingerprint(tensors: list[torch.nn.Parameter]) -> str:
    """Return the SHA-256 over the tensors' numbers."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
