"""The training loop: what a step computes, when it ends, and what it keeps."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from stages.fine_tuning import hardware
from stages.fine_tuning.calibration import compute_log_loss, fit_temperature
from stages.fine_tuning.checkpoints import CheckpointStore, delete_checkpoints
from stages.fine_tuning.examples import Examples, epoch_batches
from stages.fine_tuning.hardware import select_dtype
from stages.fine_tuning.jobs import Job, average_curves, calibrate_results
from stages.fine_tuning.pretrained import Pretrained, load_pretrained
from stages.fine_tuning.process_group import ProcessGroup
from stages.fine_tuning.reporting import Reporter
from stages.fine_tuning.trainable import build_trainable, find_depth
from stages.fine_tuning.trainer import (
    ComputeContext,
    Trainer,
    group_parameters,
    plan_steps,
    schedule_rate,
)
from stages.shared.encoder import Encoder
from stages.shared.errors import PipelineError
from tests.support.fine_tuning_fixtures import encoder
from tests.support.tiny_encoder import SPECIAL, make_encoder

CPU = ComputeContext(torch.device("cpu"), torch.float32, 0, ProcessGroup())
ALL_AT_ONCE = 100_000  # tokens in a batch
FIRST, LAST = len(SPECIAL), len(SPECIAL) + 5  # numbers of the words that the tiny encoder knows


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other cost more than they save on so small a network."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Pretrained:
    folder = tmp_path_factory.mktemp("world") / "encoder"
    make_encoder(folder, ["a b c d e"])
    return load_pretrained(encoder(weights=f"path:{folder}"), "test")


def examples(rows: int, seed: int = 0) -> Examples:
    """Simulate rows of random words; those with the first word are of class 1."""
    rng = np.random.default_rng(seed)
    ids = [rng.integers(FIRST, LAST, rng.integers(3, 20)).tolist() for _ in range(rows)]
    y = np.array([int(FIRST in row) for row in ids])
    return Examples(ids, y, rng.uniform(0.5, 2, rows).astype(np.float32))


def test_pieces_of_a_text_share_its_weight_and_stay_with_it() -> None:
    texts = [[[1, 2], [3]], [[4, 5, 6]], [[7], [8], [9]]]
    rows = Examples.of_pieces(texts, np.array([0, 1, 1]), np.array([1, 2, 3], np.float32))
    taken = rows.take(np.array([2, 0]))
    assert taken.pieces == [texts[2], texts[0]]
    split = taken.split_pieces()
    assert split.ids == [[7], [8], [9], [1, 2], [3]]
    assert split.y.tolist() == [1, 1, 1, 0, 0]
    assert split.weights.tolist() == [1, 1, 1, 0.5, 0.5]
    whole = Examples.of_pieces(texts[1:2], np.array([1]), np.ones(1, np.float32))
    assert whole.split_pieces() is whole
    assert whole.pieces == texts[1:2]


def trainer(
    pretrained: Pretrained,
    watched: Examples | None = None,
    context: ComputeContext = CPU,
    **changes: Any,
) -> Trainer:
    settings = encoder(**{"epochs": 1, "max_grad_norm": 1e9, **changes})
    module = build_trainable(settings, pretrained, 2, "eager")
    return Trainer(module, settings, examples(60), watched or examples(20, seed=1), context, 2)


def to_the_end(made: Trainer) -> None:
    while not made.is_done:
        made.train_step()


def gradients(made: Trainer) -> list[torch.Tensor]:
    """Return the gradients of the first step; one step must be all rows."""
    assert len(made.schedule) == 1
    made.train_step()
    return [parameter.grad.clone() for parameter in made.trainable if parameter.grad is not None]


def same(ones: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    pairs = zip(ones, others, strict=True)
    return all(torch.allclose(a, b, rtol=1e-3, atol=1e-6) for a, b in pairs)


@pytest.mark.parametrize(
    "changes",
    [{"batch_tokens": 64, "gradient_accumulation_steps": 1000}, {"gradient_checkpointing": True}],
    ids=["accumulated", "checkpointed"],
)
def test_less_memory_computes_the_same_gradient(
    pretrained: Pretrained, changes: dict[str, Any]
) -> None:
    at_once = gradients(trainer(pretrained, batch_tokens=ALL_AT_ONCE))
    frugal = gradients(trainer(pretrained, **{"batch_tokens": ALL_AT_ONCE, **changes}))
    assert any(gradient.abs().max() > 1e-4 for gradient in at_once)
    assert same(at_once, frugal)


def test_the_gradient_is_that_of_the_weighted_mean_loss(pretrained: Pretrained) -> None:
    """Compared with plain torch, each row alone, without padding."""
    made = trainer(pretrained, batch_tokens=ALL_AT_ONCE)
    module, rows = build_trainable(made.encoder, pretrained, 2, "eager"), examples(60)
    losses = [
        torch.nn.functional.cross_entropy(
            module(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.int64)),
            torch.tensor([int(y)]),
        )
        for ids, y in zip(rows.ids, rows.y, strict=True)
    ]
    (torch.stack(losses) * torch.from_numpy(rows.weights)).mean().backward()
    assert same(
        gradients(made),
        [parameter.grad for parameter in module.parameters() if parameter.grad is not None],
    )


def test_parts_of_a_group_add_up_to_the_whole(pretrained: Pretrained) -> None:
    whole = gradients(trainer(pretrained, batch_tokens=ALL_AT_ONCE))
    parts = []
    for rank in range(2):
        context = ComputeContext(CPU.device, CPU.dtype, CPU.pad, Alone(rank, 2))
        parts.append(gradients(trainer(pretrained, batch_tokens=ALL_AT_ONCE, context=context)))
    assert same(whole, [a + b for a, b in zip(*parts, strict=True)])


class Alone(ProcessGroup):
    """A member of a group that never hears of the others."""

    def all_reduce(self, tensors: list[torch.Tensor]) -> None:
        """Leave them as they are."""


def test_it_stops_when_the_loss_no_longer_falls_and_keeps_the_best(pretrained: Pretrained) -> None:
    """Rows with all classes swapped: the more it learns, the worse it does on them."""
    right = examples(60)
    swapped = Examples(right.ids, 1 - right.y, right.weights)
    made = trainer(pretrained, swapped, epochs=40, validation_fraction=0.1, patience=2)
    to_the_end(made)
    losses = [loss for _, _, loss in made.points]
    best = int(np.argmin(losses))
    assert len(losses) == best + 3 < 40
    assert made._compute_watched_loss() != pytest.approx(losses[best], abs=1e-9)
    made.restore_best()
    assert made._compute_watched_loss() == pytest.approx(losses[best], abs=1e-9)


def test_where_no_rows_are_held_out_those_it_watches_change_nothing(
    pretrained: Pretrained,
) -> None:
    right = examples(60)
    swapped = Examples(right.ids, 1 - right.y, right.weights)
    found = []
    for watched in (swapped, right, right.take(np.arange(0))):
        made = trainer(pretrained, watched, epochs=12, validation_fraction=None, patience=1)
        to_the_end(made)
        assert made.step == len(made.schedule)
        last = [parameter.detach().clone() for parameter in made.trainable]
        made.restore_best()
        assert all(map(torch.equal, made.trainable, last))
        assert not made.state()["best"]
        found.append(last)
    assert all(map(torch.equal, found[0], found[1]))
    assert all(map(torch.equal, found[0], found[2]))


def test_without_patience_it_goes_to_the_end(pretrained: Pretrained) -> None:
    made = trainer(pretrained, epochs=3, validation_fraction=0.1, patience=None, evals_per_epoch=2)
    to_the_end(made)
    assert made.step == len(made.schedule) == made.points[-1][0]
    assert len(made.points) == 3 * 2


def test_it_learns_through_the_compiled_network_if_told_to(
    pretrained: Pretrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the compiler, which needs minutes: lengths differ, so it must know."""
    calls = []

    def compiled(module: torch.nn.Module, dynamic: bool) -> Any:
        assert dynamic
        return lambda *batch: calls.append(len(batch[0])) or module(*batch)

    monkeypatch.setattr(torch, "compile", compiled)
    to_the_end(trainer(pretrained, compile=True))
    assert sum(calls) == 60
    to_the_end(trainer(pretrained))
    assert sum(calls) == 60


def test_a_loss_that_is_no_number_ends_it(pretrained: Pretrained) -> None:
    made = trainer(pretrained, learning_rate=0.9, weight_decay=1e35, epochs=4)
    with pytest.raises(PipelineError, match=r"after \d+ steps .*lower learning_rate \(0\.9\)"):
        to_the_end(made)


@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=300),
    budget=st.integers(50, 1000),
    seed=st.integers(0, 5),
)
def test_an_epoch_has_each_row_once_in_batches_within_the_budget(
    lengths: list[int], budget: int, seed: int
) -> None:
    array = np.array(lengths)
    batches = epoch_batches(array, budget, seed, epoch=0)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * array[batch].max() <= budget for batch in batches)


def test_batches_of_similar_length_waste_little() -> None:
    lengths = np.random.default_rng(0).integers(3, 128, 2000)
    batches = epoch_batches(lengths, 1024, seed=0, epoch=0)
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    at_random = np.array_split(np.random.default_rng(1).permutation(2000), len(batches))
    assert padded < 1.1 * lengths.sum()
    assert sum(len(batch) * lengths[batch].max() for batch in at_random) > 1.6 * lengths.sum()


def test_epochs_differ_in_order() -> None:
    lengths = np.full(100, 10)
    one, other = (np.concatenate(epoch_batches(lengths, 100, 0, epoch)) for epoch in (0, 1))
    assert (one != other).any()


def test_a_plan_has_looks_at_even_distances_and_at_each_end_of_an_epoch() -> None:
    settings = encoder(epochs=2, evals_per_epoch=2, batch_tokens=10)
    schedule, eval_steps = plan_steps(np.full(8, 10), settings)
    assert len(schedule) == 16
    assert eval_steps == {4, 8, 12, 16}


def test_the_rate_rises_to_its_peak_and_falls_to_zero() -> None:
    rates = [schedule_rate(step, 100, 0.1) for step in range(100)]
    assert np.argmax(rates) == 10
    assert rates[10] == 1
    assert np.diff(rates[:11]) == pytest.approx(1 / 11)
    assert np.diff(rates[10:]) == pytest.approx(-1 / 90)
    assert rates[-1] == pytest.approx(1 / 90)
    assert schedule_rate(0, 10, 0.0) == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("encoder.embeddings.word_embeddings.weight", 0),
        ("encoder.encoder.layer.0.output.dense.bias", 1),
        ("encoder.layers.5.mlp.Wi.weight", 6),
        ("encoder.pooler.dense.weight", 7),
        ("head.weight", 7),
    ],
)
def test_depth_counts_from_the_input(name: str, expected: int) -> None:
    assert find_depth(name, layers=6) == expected


def test_lower_layers_learn_slower_and_biases_do_not_decay() -> None:
    settings: Encoder = encoder(learning_rate=0.1, layer_decay=0.5, weight_decay=0.01)
    matrix, vector = torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))
    named = [("encoder.embeddings.w", matrix), ("encoder.layer.1.b", vector), ("head.w", matrix)]
    found = [
        (group["lr"], group["weight_decay"])
        for group in group_parameters(named, settings, layers=2)
    ]
    assert found == [(0.0125, 0.01), (0.05, 0.0), (0.1, 0.01)]


def test_no_fold_has_a_say_in_its_own_temperature() -> None:
    """Logits that are three times too large, but for a fold where they are right."""
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (9000, 2))
    y = (rng.random(9000) < 1 / (1 + np.exp(honest[:, 0] - honest[:, 1]))).astype(np.int64)
    rows = Examples([[1]] * 9000, y, np.ones(9000, np.float32))
    none = np.arange(0)
    held = np.arange(9000).reshape(3, 3000)
    jobs = [*(Job("fold", none, rows, rows) for rows in held), Job("final", none, none, none)]
    factors = (1, 3, 3)
    results = [{"logits": k * honest[rows]} for k, rows in zip(factors, held, strict=True)]
    found = calibrate_results(jobs, [*results, {"weights": {}}], rows, repeats=1)
    first, second, third, last = (result["temperature"] for result in found)
    assert first == pytest.approx(3, rel=0.1)
    assert 1.1 < second < 2.7
    assert 1.1 < third < 2.7
    assert second < last < first


def test_a_curve_over_folds_is_their_mean() -> None:
    curves = [[(10, 0.6, 0.7), (20, 0.4, 0.5)], [(12, 0.8, 0.9), (23, 0.2, 0.7)]]
    steps, fitted, watched = zip(*average_curves(curves), strict=True)
    assert steps == (11, 22)
    assert fitted == pytest.approx((0.7, 0.3))
    assert watched == pytest.approx((0.8, 0.6))


def test_temperature_recovers_what_logits_were_multiplied_by() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (20_000, 3))
    shares = np.exp(log_softmax(honest, axis=1))
    y = np.array([rng.choice(3, p=row) for row in shares])
    weights = np.ones(len(y))
    found = fit_temperature(3 * honest, y, weights)
    assert found == pytest.approx(3, rel=0.05)
    assert compute_log_loss(3 * honest, y, weights, found) < compute_log_loss(
        3 * honest, y, weights, 1
    )


def test_a_loss_by_hand() -> None:
    logits = np.log([[0.8, 0.2], [0.5, 0.5]])
    found = compute_log_loss(logits, np.array([0, 1]), np.array([3.0, 1.0]), temperature=1)
    assert found == pytest.approx(-(3 * math.log(0.8) + math.log(0.5)) / 4)


@pytest.mark.parametrize(
    ("units", "expected"),
    [({"avx512_bf16": True}, torch.bfloat16), ({"amx_bf16": True}, torch.bfloat16),
     ({"avx512_f": True, "avx512_bf16": False}, torch.float32)],
)  # fmt: skip
def test_bf16_is_taken_where_there_are_units_for_it(
    units: dict[str, bool], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    assert select_dtype("auto", cuda=False) == expected
    assert select_dtype("fp32", cuda=False) == torch.float32
    assert select_dtype("bf16", cuda=False) == torch.bfloat16


def test_a_gpu_is_used_where_there_is_one_and_named_where_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert hardware.use_cuda("cuda")
    assert not hardware.use_cuda("cpu")
    assert [str(hardware.select_device(ProcessGroup(rank, 4), cuda=True)) for rank in range(4)] == [
        "cuda:0", "cuda:1", "cuda:0", "cuda:1",
    ]  # fmt: skip
    assert select_dtype("auto", cuda=True) == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not hardware.use_cuda("cuda")
    assert "torch finds no GPU: fine-tuning on the CPU" in caplog.text


def test_the_progress_bar_counts_what_is_left_of_all_fits(
    pretrained: Pretrained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    made = trainer(pretrained, batch_tokens=ALL_AT_ONCE, epochs=3, patience=None)
    reporter = Reporter([5, 3])
    reporter.skip_fit()
    reporter.start_fit(0)
    while not made.is_done:
        reporter.train_step(made)
    reporter.end_fit(0)
    assert (reporter.bar.n, reporter.bar.total) == (3, 3)
    assert "fit 2 of 2: 100%" in capsys.readouterr().err
    assert reporter.measure()["tokens_per_second"] == pytest.approx(reporter.pace)
    assert reporter.rows == 3 * 60


def test_paths_of_nothing_kept_are_no_trouble(tmp_path: Path) -> None:
    delete_checkpoints(tmp_path / "nothing")
    assert CheckpointStore(tmp_path / "nothing").latest("fold-0-0") is None
