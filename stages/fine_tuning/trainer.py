"""The training loop: steps through the batches, evaluates on other rows, may keep the best weights.

Everything that a step depends on is in ``Trainer.state``, so a run that was killed and resumed ends
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

from stages.fine_tuning.calibration import compute_log_loss, fit_temperature
from stages.fine_tuning.examples import Examples, epoch_batches
from stages.fine_tuning.process_group import ProcessGroup
from stages.fine_tuning.trainable import find_depth
from stages.shared.encoder import Encoder
from stages.shared.errors import PipelineError
from stages.shared.finetuned import compute_mean_logits
from stages.shared.tokens import pad_batch

Array = np.ndarray[Any, np.dtype[Any]]
State = dict[str, Any]


@dataclass(frozen=True)
class ComputeContext:
    """Where and how to compute: device, type to multiply in, token that fills, process group."""

    device: torch.device
    dtype: torch.dtype
    pad: int
    group: ProcessGroup

    def autocast(self) -> torch.autocast:
        """Return the context in which to multiply in the lower precision, if there is one."""
        lower = self.dtype != torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=lower)

    def batch(self, examples: Examples, rows: Array) -> tuple[torch.Tensor, ...]:
        """Return token numbers and mask (rows x tokens) on the device."""
        arrays = pad_batch([examples.ids[row] for row in rows], self.pad)
        return tuple(torch.from_numpy(array).to(self.device) for array in arrays)


class Trainer:
    """A network in training on ``fitted``, watched on ``watched``; ``layers`` is its depth.

    Watched rows stop it, and choose its weights, only where the encoder holds rows out for that.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        encoder: Encoder,
        fitted: Examples,
        watched: Examples,
        context: ComputeContext,
        layers: int,
    ) -> None:
        self.module = module.to(context.device)
        self.encoder, self.context = encoder, context
        self.may_stop = encoder.validation_fraction is not None
        self.fitted, self.watched = fitted, watched
        self.schedule, self.eval_steps = plan_steps(fitted.lengths, encoder)
        # One scale for all steps, so that each row counts the same whatever batch it is in.
        self.rows_a_step = len(fitted) * encoder.epochs / len(self.schedule)
        named = [
            (name, parameter)
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        ]
        self.trainable = [parameter for _, parameter in named]
        groups = group_parameters(named, encoder, layers)
        self.optimiser = torch.optim.AdamW(groups, lr=encoder.learning_rate, fused=True)
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.forward: Any = torch.compile(module, dynamic=True) if encoder.compile else module
        self.step = 0
        self.points: list[tuple[int, float, float]] = []
        self.best: list[torch.Tensor] = []
        self.running = self._zero_sums()

    @property
    def is_done(self) -> bool:
        return self.step >= len(self.schedule) or (self.may_stop and self._is_out_of_patience())

    @property
    def loss(self) -> float:
        """The mean training loss since the last evaluation, of this process's shards."""
        return float(self.running[0] / self.running[1])

    def train_step(self) -> None:
        """Take one step, and evaluate where that is due."""
        self.module.train()
        share = schedule_rate(self.step, len(self.schedule), self.encoder.warmup_ratio)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        self.optimiser.zero_grad()
        for rows in self.schedule[self.step]:
            self._accumulate(self.context.group.take_shard(rows))
        self._reduce_gradients()
        torch.nn.utils.clip_grad_norm_(self.trainable, self.encoder.max_grad_norm)
        self.optimiser.step()
        self.step += 1
        if self.step in self.eval_steps:
            self._evaluate()

    def restore_best(self) -> None:
        """Put back the weights of the evaluation with the lowest loss, where rows were held out."""
        if self.may_stop:
            self._load(self.best)

    def state(self) -> State:
        """Return all that the remaining steps depend on; every process must ask for it."""
        return {
            "step": self.step,
            "trainable": [parameter.detach() for parameter in self.trainable],
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": self._get_cuda_state(),
            "points": self.points,
            "best": self.best,
            "running": self._gather_sums(),
        }

    def resume(self, state: State) -> None:
        """Go on from what `state` returned, in this process or another."""
        self._load(state["trainable"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        if state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.context.device)
        self.step = state["step"]
        self.running = state["running"][self.context.group.rank].to(self.context.device)
        self.points, self.best = [tuple(point) for point in state["points"]], state["best"]

    def _accumulate(self, rows: Array) -> None:
        if not len(rows):  # fewer rows than processes
            return
        with self.context.autocast():
            logits = self.forward(*self.context.batch(self.fitted, rows))
        losses = self._compute_losses(logits, self.fitted, rows, self.encoder.label_smoothing)
        total = losses.sum()
        (total / self.rows_a_step).backward()  # type: ignore[no-untyped-call]
        self.running[0] += total.detach()
        self.running[1] += float(self.fitted.weights[rows].sum())

    def _compute_losses(
        self, logits: torch.Tensor, examples: Examples, rows: Array, smoothing: float = 0.0
    ) -> torch.Tensor:
        truth = torch.from_numpy(examples.y[rows]).to(logits.device)
        weights = torch.from_numpy(examples.weights[rows]).to(logits.device)
        losses = cross_entropy(logits.float(), truth, reduction="none", label_smoothing=smoothing)
        return losses * weights

    def _reduce_gradients(self) -> None:
        """Make every process's gradients the sum over all of them."""
        if self.context.group.size > 1:
            for parameter in self.trainable:
                parameter.grad = (
                    torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                )
            self.context.group.all_reduce(
                [parameter.grad for parameter in self.trainable if parameter.grad is not None]
            )

    def _evaluate(self) -> None:
        """Note the losses (NaN of no rows), and the weights where they are the best so far."""
        self.context.group.all_reduce([self.running])
        fitted, self.running = self.loss, self._zero_sums()
        watched = self._compute_watched_loss() if len(self.watched) else math.nan
        self.points.append((self.step, fitted, watched))
        if not math.isfinite(fitted + (watched if len(self.watched) else 0)):
            raise PipelineError(
                f"after {self.step} steps the losses are {fitted} and {watched}: lower "
                f"learning_rate ({self.encoder.learning_rate:g}) in conf/encoder"
            )
        if self.may_stop and self._find_best_eval() == len(self.points) - 1:
            self.best = [parameter.detach().clone() for parameter in self.trainable]

    def _compute_watched_loss(self) -> float:
        """Return the log loss at the best temperature: overconfidence alone ends no training."""
        with self.context.autocast():
            texts = self.watched.pieces
            logits = compute_mean_logits(self.module.eval(), texts, self.context.pad)
        y, weights = self.watched.y, self.watched.weights
        return compute_log_loss(logits, y, weights, fit_temperature(logits, y, weights))

    def _find_best_eval(self) -> int:
        return int(np.argmin([loss for _, _, loss in self.points]))

    def _is_out_of_patience(self) -> bool:
        patience = self.encoder.patience
        waited = len(self.points) - 1 - self._find_best_eval() if self.points else 0
        return patience is not None and waited >= patience

    def _zero_sums(self) -> torch.Tensor:
        """Return the sum of losses and of weights since the last evaluation."""
        return torch.zeros(2, dtype=torch.float64, device=self.context.device)

    def _gather_sums(self) -> torch.Tensor:
        """Return what each process has seen, a row for each: their sum alone would be rounded."""
        found = torch.stack([self._zero_sums()] * self.context.group.size)
        found[self.context.group.rank] = self.running
        self.context.group.all_reduce([found])
        return found

    def _load(self, weights: list[torch.Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.trainable, weights, strict=True):
                parameter.copy_(value)

    def _get_cuda_state(self) -> torch.Tensor | None:
        is_cuda = self.context.device.type == "cuda"
        return torch.cuda.get_rng_state(self.context.device) if is_cuda else None


def plan_steps(lengths: Array, encoder: Encoder) -> tuple[list[list[Array]], set[int]]:
    """Return each step's batches, and after which steps to evaluate."""
    schedule: list[list[Array]] = []
    eval_steps: set[int] = set()
    for epoch in range(encoder.epochs):
        batches = epoch_batches(lengths, encoder.batch_tokens, encoder.seed, epoch)
        steps = list(_split_chunks(batches, encoder.gradient_accumulation_steps))
        eval_steps |= {
            len(schedule) + math.ceil(len(steps) * number / encoder.evals_per_epoch)
            for number in range(1, encoder.evals_per_epoch + 1)
        }
        schedule += steps
    return schedule, eval_steps


def schedule_rate(step: int, steps: int, warmup_ratio: float) -> float:
    """Return the share of the peak rate: a linear rise over ``warmup_ratio``, then a fall to 0."""
    rising = warmup_ratio * steps
    return (step + 1) / (rising + 1) if step < rising else (steps - step) / (steps - rising)


def group_parameters(
    named: list[tuple[str, torch.nn.Parameter]], encoder: Encoder, layers: int
) -> list[dict[str, Any]]:
    """Return AdamW's groups: rates by depth, and no decay for vectors (biases and norms)."""
    groups: dict[tuple[int, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in named:
        key = layers + 1 - find_depth(name, layers), parameter.ndim > 1
        groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": encoder.learning_rate * encoder.layer_decay**below,
            "weight_decay": encoder.weight_decay if decays else 0.0,
        }
        for (below, decays), parameters in groups.items()
    ]


def _split_chunks(batches: list[Array], size: int) -> Iterator[list[Array]]:
    waiting = iter(batches)
    while chunk := list(itertools.islice(waiting, size)):
        yield chunk
