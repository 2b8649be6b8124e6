"""The training loop: steps through the batches, looks at other rows, may keep the best weights.

Everything that a step depends on is in ``Learner.state``, so a run that was killed and resumed ends
with the same weights as one that was not.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from stages.fine_tuning.calibration import log_loss, temperature
from stages.fine_tuning.examples import Examples, epoch_batches
from stages.fine_tuning.team import Team
from stages.fine_tuning.trainee import depth
from stages.shared.encoder import Encoder
from stages.shared.errors import PipelineError
from stages.shared.finetuned import compute_logits
from stages.shared.tokens import pad_batch

Array = np.ndarray[Any, np.dtype[Any]]
State = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where and how to compute: device, type to multiply in, token that fills, companions."""

    device: torch.device
    dtype: torch.dtype
    pad: int
    team: Team

    def autocast(self) -> torch.autocast:
        lower = self.dtype != torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=lower)

    def batch(self, examples: Examples, rows: Array) -> tuple[torch.Tensor, ...]:
        """Return token numbers and mask (rows x tokens) on the device."""
        arrays = pad_batch([examples.ids[row] for row in rows], self.pad)
        return tuple(torch.from_numpy(array).to(self.device) for array in arrays)


class Learner:
    """A network in training on ``fitted``, watched on ``watched``; ``layers`` is its depth.

    Watched rows stop it, and choose its weights, only where the encoder holds rows out for that.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        encoder: Encoder,
        fitted: Examples,
        watched: Examples,
        place: Place,
        layers: int,
    ) -> None:
        self.module = module.to(place.device)
        self.encoder, self.place = encoder, place
        self.may_stop = encoder.validation_fraction is not None
        self.fitted, self.watched = fitted, watched
        self.plan, self.looks = planned(fitted.lengths, encoder)
        # One scale for all steps, so that each row counts the same whatever batch it is in.
        self.rows_a_step = len(fitted) * encoder.epochs / len(self.plan)
        named = [(name, it) for name, it in module.named_parameters() if it.requires_grad]
        self.changing = [it for _, it in named]
        groups = parameter_groups(named, encoder, layers)
        self.optimiser = torch.optim.AdamW(groups, lr=encoder.learning_rate, fused=True)
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.forward: Any = torch.compile(module, dynamic=True) if encoder.compile else module
        self.step = 0
        self.points: list[tuple[int, float, float]] = []
        self.best: list[torch.Tensor] = []
        self.seen = self._nothing_seen()

    @property
    def is_done(self) -> bool:
        return self.step >= len(self.plan) or (self.may_stop and self._waited_long_enough())

    @property
    def loss(self) -> float:
        """The mean training loss since the last look, in this process's part of the batches."""
        return float(self.seen[0] / self.seen[1])

    def learn(self) -> None:
        """Take one step, and a look where one is due."""
        self.module.train()
        share = rate_at(self.step, len(self.plan), self.encoder.warmup_ratio)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        self.optimiser.zero_grad()
        for rows in self.plan[self.step]:
            self._learn_from(self.place.team.part(rows))
        self._add_up()
        torch.nn.utils.clip_grad_norm_(self.changing, self.encoder.max_grad_norm)
        self.optimiser.step()
        self.step += 1
        if self.step in self.looks:
            self._look()

    def keep_best(self) -> None:
        """Put back the weights of the look with the lowest loss, where rows were held out."""
        if self.may_stop:
            self._put(self.best)

    def state(self) -> State:
        """Return all that the remaining steps depend on; every process must ask for it."""
        return {
            "step": self.step,
            "changing": [it.detach() for it in self.changing],
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": self._cuda_random(),
            "points": self.points,
            "best": self.best,
            "seen": self._everyones_seen(),
        }

    def resume(self, state: State) -> None:
        self._put(state["changing"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        if state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.place.device)
        self.step = state["step"]
        self.seen = state["seen"][self.place.team.rank].to(self.place.device)
        self.points, self.best = [tuple(it) for it in state["points"]], state["best"]

    def _learn_from(self, rows: Array) -> None:
        if not len(rows):  # fewer rows than processes
            return
        with self.place.autocast():
            logits = self.forward(*self.place.batch(self.fitted, rows))
        losses = self._losses(logits, self.fitted, rows, self.encoder.label_smoothing)
        total = losses.sum()
        (total / self.rows_a_step).backward()  # type: ignore[no-untyped-call]
        self.seen[0] += total.detach()
        self.seen[1] += float(self.fitted.weights[rows].sum())

    def _losses(
        self, logits: torch.Tensor, examples: Examples, rows: Array, smoothing: float = 0.0
    ) -> torch.Tensor:
        truth = torch.from_numpy(examples.y[rows]).to(logits.device)
        weights = torch.from_numpy(examples.weights[rows]).to(logits.device)
        losses = cross_entropy(logits.float(), truth, reduction="none", label_smoothing=smoothing)
        return losses * weights

    def _add_up(self) -> None:
        """Make every process's gradients the sum over all of them."""
        if self.place.team.size > 1:
            for it in self.changing:
                it.grad = torch.zeros_like(it) if it.grad is None else it.grad
            self.place.team.add([it.grad for it in self.changing if it.grad is not None])

    def _look(self) -> None:
        """Note the losses (NaN of no rows), and the weights where they are the best so far."""
        self.place.team.add([self.seen])
        fitted, self.seen = self.loss, self._nothing_seen()
        watched = self._watched_loss() if len(self.watched) else math.nan
        self.points.append((self.step, fitted, watched))
        if not math.isfinite(fitted + (watched if len(self.watched) else 0)):
            raise PipelineError(
                f"after {self.step} steps the losses are {fitted} and {watched}: lower "
                f"learning_rate ({self.encoder.learning_rate:g}) in conf/encoder"
            )
        if self.may_stop and self._best_look() == len(self.points) - 1:
            self.best = [it.detach().clone() for it in self.changing]

    def _watched_loss(self) -> float:
        """Return the log loss at the best temperature: overconfidence alone ends no training."""
        with self.place.autocast():
            logits = compute_logits(self.module.eval(), self.watched.ids, self.place.pad)
        y, weights = self.watched.y, self.watched.weights
        return log_loss(logits, y, weights, temperature(logits, y, weights))

    def _best_look(self) -> int:
        return int(np.argmin([loss for _, _, loss in self.points]))

    def _waited_long_enough(self) -> bool:
        patience = self.encoder.patience
        waited = len(self.points) - 1 - self._best_look() if self.points else 0
        return patience is not None and waited >= patience

    def _nothing_seen(self) -> torch.Tensor:
        """Return the sum of losses and of weights since the last look."""
        return torch.zeros(2, dtype=torch.float64, device=self.place.device)

    def _everyones_seen(self) -> torch.Tensor:
        """Return what each process has seen, a row for each: their sum alone would be rounded."""
        found = torch.stack([self._nothing_seen()] * self.place.team.size)
        found[self.place.team.rank] = self.seen
        self.place.team.add([found])
        return found

    def _put(self, weights: list[torch.Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.changing, weights, strict=True):
                parameter.copy_(value)

    def _cuda_random(self) -> torch.Tensor | None:
        is_cuda = self.place.device.type == "cuda"
        return torch.cuda.get_rng_state(self.place.device) if is_cuda else None


def planned(lengths: Array, encoder: Encoder) -> tuple[list[list[Array]], set[int]]:
    """Return each step's batches, and after which steps to look at the held-out rows."""
    plan: list[list[Array]] = []
    looks: set[int] = set()
    for epoch in range(encoder.epochs):
        batches = epoch_batches(lengths, encoder.batch_tokens, encoder.seed, epoch)
        steps = list(_chunks(batches, encoder.gradient_accumulation_steps))
        looks |= {
            len(plan) + math.ceil(len(steps) * look / encoder.evals_per_epoch)
            for look in range(1, encoder.evals_per_epoch + 1)
        }
        plan += steps
    return plan, looks


def rate_at(step: int, steps: int, warmup_ratio: float) -> float:
    """Return the share of the peak rate: a linear rise over ``warmup_ratio``, then a fall to 0."""
    rising = warmup_ratio * steps
    return (step + 1) / (rising + 1) if step < rising else (steps - step) / (steps - rising)


def parameter_groups(
    named: list[tuple[str, torch.nn.Parameter]], encoder: Encoder, layers: int
) -> list[dict[str, Any]]:
    """Return AdamW's groups: rates by depth, and no decay for vectors (biases and norms)."""
    groups: dict[tuple[int, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in named:
        key = layers + 1 - depth(name, layers), parameter.ndim > 1
        groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": encoder.learning_rate * encoder.layer_decay**below,
            "weight_decay": encoder.weight_decay if decays else 0.0,
        }
        for (below, decays), parameters in groups.items()
    ]


def _chunks(batches: list[Array], size: int) -> Iterator[list[Array]]:
    waiting = iter(batches)
    while chunk := list(itertools.islice(waiting, size)):
        yield chunk
