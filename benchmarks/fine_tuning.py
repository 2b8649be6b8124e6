"""Fine-tunes the shipped encoder on UCI's sentences: ``python -m benchmarks.fine_tuning FOLDER``.

FOLDER, rows and scores are those of ``benchmarks.text_quality``: 2,400 sentences to learn from and
600 to score. Compares the stage's own loop with what tutorials do: transformers' Trainer, every
text padded to 128 tokens, float32, three epochs. All run one after the other in this process with
one thread, and speed is texts a CPU second, since machines are seldom quiet.

``--folds 43`` leaves the 600 alone and scores every one of the 2,400 out of fold, in three folds
dealt with that seed: four times as many pairs. The shipped settings were chosen on the folds of
seed 42, so that others are the fair ones. Both ways to train are in bf16 there, to save time.

The padded Trainer is timed over a few steps only. Its accuracy is that of the same Trainer padding
each batch to its longest text: a mask hides the padding, so the numbers learnt from are the same.
"""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax
from sklearn.model_selection import StratifiedKFold, train_test_split

from benchmarks.text_quality import SEED, sentences, shown, split
from stages.composing import config
from stages.fine_tuning.examples import Examples
from stages.fine_tuning.hardware import NATIVE
from stages.fine_tuning.jobs import Job
from stages.fine_tuning.pretrained import Pretrained, load_pretrained
from stages.fine_tuning.process_group import ProcessGroup
from stages.fine_tuning.runner import FineTuningPlan, run_jobs
from stages.shared.encoder import Encoder
from stages.shared.tokens import pad_batch, tokenise_texts

Array = np.ndarray[Any, np.dtype[Any]]
Trained = tuple[float, Array]  # texts a CPU second, and the classes of the rows held out
LONGEST, BATCH, EPOCHS, RATE = 128, 16, 3, 5e-5  # the tutorials' settings
TIMED_STEPS = 12
FOLDS = 3


def main() -> None:
    """Print one line for each way to train."""
    asked = arguments()
    torch.set_num_threads(1)
    table, known = sentences(asked.folder), torch.cpu.get_capabilities()
    print("bf16 units:", ", ".join(unit for unit in NATIVE if known.get(unit)) or "none")
    encoder = shipped_encoder()
    pretrained = load_pretrained(encoder, "conf/encoder/minilm.yaml")
    examples = tokenised_rows(pretrained, table)
    if asked.folds is None:
        parts, precisions = [split(table)], ["fp32", "bf16"]
    else:
        parts, precisions = folds(table, split(table)[0], asked.folds), ["bf16"]
    held = np.concatenate([held for _, held in parts])
    truth, sites = examples.y[held], table["site"].to_numpy()[held]
    slow, _ = trainer(pretrained, examples, parts[0][0], held[:0], LONGEST, TIMED_STEPS)
    lower = "fp32" not in precisions
    _, answers = over(
        parts, lambda fitted, held: trainer(pretrained, examples, fitted, held, None, -1, lower)
    )
    reference = answers == truth
    print(f"{'Trainer, padded, fp32':24} {slow:6.1f} texts/s   1.0x  ", end="")
    print(shown(reference, reference, sites), flush=True)
    for precision in precisions:
        changed = encoder.model_copy(update={"precision": precision})
        speed, answers = over(parts, partial(stage, changed, pretrained, examples))
        print(f"{f'fine_tune, {precision}':24} {speed:6.1f} texts/s {speed / slow:5.1f}x  ", end="")
        print(shown(answers == truth, reference, sites), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--folds", type=int, metavar="SEED", help="score the 2,400 out of fold")
    return parser.parse_args()


def folds(table: pd.DataFrame, rows: Array, seed: int) -> list[tuple[Array, Array]]:
    """Return the rows to fit on and those to score, for each fold of ``rows``."""
    dealer = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    dealt = dealer.split(rows, table["label"].iloc[rows])
    return [(rows[fitted], rows[held]) for fitted, held in dealt]


def over(parts: list[tuple[Array, Array]], train: Callable[..., Trained]) -> Trained:
    """Return the mean speed over the parts, and the classes of all rows held out."""
    found = [train(fitted, held) for fitted, held in parts]
    return float(np.mean([speed for speed, _ in found])), np.concatenate([it for _, it in found])


def shipped_encoder() -> Encoder:
    """Return ``conf/encoder/minilm.yaml`` as `fine_tune` reads it, on one thread."""
    params = config.read_yaml(config.compose_params())
    encoder = Encoder.parse(params["encoder"]["minilm"], "conf/encoder/minilm.yaml")
    return encoder.model_copy(update={"threads": 1})


def tokenised_rows(pretrained: Pretrained, table: pd.DataFrame) -> Examples:
    ids = tokenise_texts(pretrained.tokenizer, list(table["text"]))
    return Examples(ids, table["label"].to_numpy(), np.ones(len(table), np.float32))


def stage(
    encoder: Encoder, pretrained: Pretrained, examples: Examples, fitted: Array, held: Array
) -> Trained:
    """Return texts a CPU second in training, and the classes of the rows held out."""
    learnt, watched = fitted, fitted[:0]
    if encoder.validation_fraction:
        learnt, watched = train_test_split(
            fitted,
            test_size=encoder.validation_fraction,
            random_state=SEED,
            stratify=examples.y[fitted],
        )
    jobs = [Job("uci", learnt, watched, held)]
    with tempfile.TemporaryDirectory() as folder:
        plan = FineTuningPlan(
            encoder, pretrained, examples, 2, jobs, False, Path(folder), "benchmark"
        )
        done = run_jobs(ProcessGroup(), plan)
    (result,), measured = done.results, done.measured
    texts = measured["texts_per_second"] * measured["training_seconds"]
    shares = softmax(result["logits"].numpy(), axis=1)
    return texts / measured["cpu_seconds"], shares.argmax(axis=1)


def trainer(
    pretrained: Pretrained,
    examples: Examples,
    fitted: Array,
    held: Array,
    longest: int | None,
    steps: int,
    lower: bool = False,
) -> Trained:
    """Return the same of transformers' Trainer: the whole of its epochs, or so many ``steps``.

    Each text is padded to ``longest`` tokens, or as far as its batch needs it. ``lower`` multiplies
    in bf16.
    """
    from transformers import (
        AutoModelForSequenceClassification,
        PrinterCallback,
        Trainer,
        TrainingArguments,
    )

    def collate(rows: list[int]) -> dict[str, torch.Tensor]:
        # A text of `longest` tokens is laid beside them, so that they are padded as far as it is.
        beside = [[0] * longest] if longest else []
        numbers, mask = pad_batch([*(examples.ids[row] for row in rows), *beside], pad=0)
        content = {"input_ids": numbers, "attention_mask": mask, "labels": examples.y[rows]}
        return {name: torch.from_numpy(it[: len(rows)]) for name, it in content.items()}

    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            folder, num_train_epochs=EPOCHS, max_steps=steps, learning_rate=RATE,
            per_device_train_batch_size=BATCH, per_device_eval_batch_size=BATCH, seed=SEED,
            use_cpu=True, bf16=lower, save_strategy="no", report_to="none", disable_tqdm=True,
            logging_strategy="no", remove_unused_columns=False,
        )  # fmt: skip
        model = AutoModelForSequenceClassification.from_pretrained(pretrained.folder)
        made = Trainer(model, settings, collate, train_dataset=[int(row) for row in fitted])
        made.remove_callback(PrinterCallback)
        start = time.process_time()
        made.train()
        spent = time.process_time() - start
        seen = steps * BATCH if steps > 0 else EPOCHS * len(fitted)
        rows: Any = [int(row) for row in held]  # what the Trainer takes for a data set
        answers: Any = made.predict(rows).predictions if len(held) else held
    return seen / spent, answers.argmax(axis=1) if len(held) else held


if __name__ == "__main__":
    main()
