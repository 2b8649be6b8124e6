"""Drafts a contract from data: ``python -m commands draft a.csv --task churn --target status``.

Writes ``conf/task/<task>.yaml`` from a CSV, TSV or Parquet file, or from ``--query`` over the
database that FILE names. A file outside the repository is copied into ``data/raw``. The draft runs
as it is; what was guessed stands in its comments.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from commands.drafting.dialect import Read, read_table
from commands.drafting.guess import Guess, guess_column
from commands.drafting.leaks import leave_out_leak, note_formula, read_target
from commands.drafting.target_inference import find_group, infer_target
from commands.drafting.writing import render_contract
from stages.fetching.sql import Question, materialise
from stages.shared.errors import PipelineError
from stages.shared.heuristics import sample_rows
from stages.shared.storage import write_text

RAW = Path("data/raw")
NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Request:
    """What a draft is made of: a file or a database's URL, and what a person knows of it.

    ``names`` are the columns of a file without a header.
    """

    file: str
    task: str
    target: str
    positive: str | None = None
    names: tuple[str, ...] = ()
    query: str | None = None
    overwrite: bool = False


def draft(request: Request) -> None:
    """Draft a contract, and copy a file that lies outside the repository."""
    contract = Path("conf/task", f"{request.task}.yaml")
    check_request(request, contract)
    read = read_source(request)
    text = write_contract(request, read)
    if not request.query:
        copy_into_repository(Path(request.file), Path(read.origin["path"]))
    write_text(contract, text)
    print(f"{contract} is drafted from {len(read.frame):,} rows: read it, then run `make repro`")


def check_request(request: Request, contract: Path) -> None:
    """Raise PipelineError for a name that no task can have, and for a contract already there."""
    if not NAME.fullmatch(request.task):
        raise PipelineError(
            f"--task {request.task!r}: small letters, digits and _ make a task's name"
        )
    if contract.exists() and not request.overwrite:
        raise PipelineError(f"{contract} is there already: take another --task, or --overwrite")
    if "://" in request.file and not request.query:
        raise PipelineError(f"{request.file} is a database: say with --query which table is meant")
    if "://" not in request.file and not Path(request.file).is_file():
        raise PipelineError(f"{request.file} is not here")


def read_source(request: Request) -> Read:
    """Return the source as the contract describes it, and its cells."""
    if request.query:
        path = RAW / request.task / f"{request.task}.parquet"
        question = Question(request.file, request.query, f"conf/task/{request.task}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        materialise(question, path, os.environ)
        read = read_table(path, None)
        read.origin |= {"database": request.file, "query": request.query}
        return read
    path = Path(request.file)
    read = read_table(path, list(request.names) or None)
    read.origin["path"] = locate_in_repository(path).as_posix()
    return read


def locate_in_repository(path: Path) -> Path:
    """Return the file's path in the repository; one that lies outside comes into ``data/raw``.

    Raises PipelineError where a file of that name is there already.
    """
    here = Path.cwd()
    inside = path.resolve().is_relative_to(here)
    kept = path.resolve().relative_to(here) if inside else RAW / path.name
    if not inside and kept.exists():
        raise PipelineError(f"{kept} is there already: name it as FILE, or take it away")
    return kept


def copy_into_repository(path: Path, kept: Path) -> None:
    """Copy a file that lies outside the repository to where the contract has it."""
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept)
        print(f"{path} is copied to {kept}: run `dvc add {kept}` to keep it")


def write_contract(request: Request, read: Read) -> str:
    """Return the contract's text; raises PipelineError where nothing can be learnt."""
    frame = read.frame
    if request.target not in frame.columns:
        raise PipelineError(
            f"--target {request.target!r} is no column of {request.file}: it has "
            f"{', '.join(map(str, frame.columns))}"
        )
    name = request.target
    inferred = infer_target(frame, name, request.positive, read.get_decimal(name))
    names = [other for other in frame.columns if other != name]
    group = find_group(frame, names)
    guesses = [guess_column(other, frame[other], read.get_decimal(other)) for other in names]
    sample = frame.iloc[sample_rows(len(frame))]
    y = read_target(sample[name], inferred, read.get_decimal(name))
    flagged = [
        leave_out_leak(guess, sample[guess.name], y, read.get_decimal(guess.name))
        for guess in guesses
        if guess.name != group
    ]
    _check_columns(request, flagged)
    inferred = note_formula(inferred, flagged, sample, y, read.get_decimal)
    title = request.task.replace("_", " ").capitalize()
    return render_contract(
        title, read.origin, flagged, inferred, group, len(frame), name, read.comments
    )


def _check_columns(request: Request, guesses: list[Guess]) -> None:
    """Raise PipelineError, with each column's reason, where none is left to learn from."""
    if not any(guess.type for guess in guesses):
        reasons = "\n".join(f"  {guess.name}: {guess.left_out}" for guess in guesses)
        raise PipelineError(
            f"{request.file} has no column to predict {request.target} from:\n{reasons}"
        )
