"""Reads the rows that an encoder learns from, and lays out all that there is to do."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils.class_weight import compute_sample_weight

from stages.fine_tuning.examples import Examples
from stages.fine_tuning.hardware import select_dtype, use_cuda
from stages.fine_tuning.jobs import make_final_job, make_fold_jobs
from stages.fine_tuning.params import FineTuneParams
from stages.fine_tuning.pretrained import load_pretrained
from stages.fine_tuning.runner import FineTuningPlan
from stages.runner import imports
from stages.shared.encoder import Encoder
from stages.shared.errors import PipelineError
from stages.shared.features import encode, encode_target
from stages.shared.finetuned import join_texts
from stages.shared.folds import read_groups
from stages.shared.schema import Schema, read_schema
from stages.shared.storage import read_frame, sha256
from stages.shared.tokens import tokenise_pieces

PARTS = ("train", "validation")


def read_parts(prepared: Path) -> tuple[Schema, list[pd.DataFrame]]:
    """Read the schema, and the rows to train on and those to watch.

    Raises PipelineError for a table that an encoder cannot learn from.
    """
    schema = read_schema(prepared)
    if not schema.has_text or not schema.labels:
        raise PipelineError(
            f"{prepared / 'schema.json'} has no text column, or no classes to predict: "
            f"take encoders out of conf/task/{prepared.name}.yaml"
        )
    return schema, [read_frame(prepared / f"{part}.parquet") for part in PARTS]


def plan_fine_tuning(
    params: FineTuneParams,
    schema: Schema,
    parts: list[pd.DataFrame],
    task: str,
    name: str,
    hashed: str,
) -> FineTuningPlan:
    """Lay the task's overrides over the encoder, tokenise every text once, and deal the rows.

    ``hashed`` is a hash of all parameters.
    """
    where = f"conf/task/{task}.yaml: encoders.{name}"
    encoder = params.encoder.with_overrides(params.overrides or {}, where)
    cuda, pretrained = use_cuda(params.device), load_pretrained(encoder, where)
    together = pd.concat(parts)
    y = encode_target(together, schema)
    texts = join_texts(encode(together, schema), schema, pretrained.separator)
    weights = compute_sample_weight(params.class_weight, y).astype(np.float32)
    pieces = tokenise_pieces(pretrained.tokenizer, texts, encoder.windows)
    examples = Examples.of_pieces(pieces, y, weights)
    groups = read_groups(together, schema)
    jobs = make_fold_jobs(schema, y, params.cv, groups, encoder.validation_fraction)
    jobs.append(make_final_job(len(parts[0]), len(parts[1]), encoder.validation_fraction))
    folder = Path("data/checkpoints", task, name)
    state = hash_inputs(Path("data/prepared", task), encoder, cuda, hashed)
    return FineTuningPlan(
        encoder, pretrained, examples, len(schema.labels), jobs, cuda, folder, state
    )


def hash_inputs(prepared: Path, encoder: Encoder, cuda: bool, params: str) -> str:
    """Return a hash of all that unfinished work depends on: data, parameters, code, libraries."""
    content = {
        "data": [sha256(prepared / f"{part}.parquet") for part in PARTS],
        "schema": sha256(prepared / "schema.json"),
        "params": params,
        "code": imports.hash_code("fine_tune"),
        "libraries": imports.list_versions("fine_tune"),
        "dtype": str(select_dtype(encoder.precision, cuda)),
        "cuda": cuda,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
