"""Drafts a contract from data: ``python -m commands draft a.csv --task churn --target status``.

Writes ``conf/task/<task>.yaml`` from a CSV, TSV or Parquet file, or from ``--query`` over the
database that FILE names. A file outside the repository is copied into ``data/raw``. The draft runs
as it is; what was guessed stands in its comments.
"""

import argparse
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from commands.drafting.dialect import read_table
from commands.drafting.guess import Guess, guess_column
from commands.drafting.target_inference import find_aim, find_group
from commands.drafting.writing import written
from stages.fetching.sql import Question, materialise
from stages.preparing.casting import as_tokens, to_numbers
from stages.runner.declare import run_plainly
from stages.shared.errors import PipelineError
from stages.shared.heuristics import told_share
from stages.shared.storage import write_text

SURE = 0.99  # share of the target from which a column is called a leak
RAW = Path("data/raw")
NAME = re.compile(r"[a-z][a-z0-9_]*")
USAGE = "python -m commands draft FILE --task NAME --target COLUMN"


def main() -> None:
    """Draft the contract that the command line asks for."""
    asked = parsed()
    contract = Path("conf/task", f"{asked.task}.yaml")
    check(asked, contract)
    origin, frame = bring(asked)
    text = draft(asked, origin, frame)
    if not asked.query:
        keep(Path(asked.file), Path(origin["path"]))
    write_text(contract, text)
    print(f"{contract} is drafted from {len(frame):,} rows: read it, then run `make repro`")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(usage=USAGE, description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", help="a CSV, TSV or Parquet file, or a database's URL")
    parser.add_argument("--task", required=True, help="the task's name, as in conf/task/NAME.yaml")
    parser.add_argument("--target", required=True, help="the column to predict")
    parser.add_argument("--positive", help="of two classes the one whose probability is wanted")
    parser.add_argument("--names", help="the columns of a file without a header: a,b,c")
    parser.add_argument("--query", help="SQL, where FILE is a database's URL")
    parser.add_argument("--overwrite", action="store_true", help="replace the task's contract")
    return parser.parse_args()


def check(asked: argparse.Namespace, contract: Path) -> None:
    """Raise PipelineError for a name that no task can have, and for a contract already there."""
    if not NAME.fullmatch(asked.task):
        raise PipelineError(
            f"--task {asked.task!r}: small letters, digits and _ make a task's name"
        )
    if contract.exists() and not asked.overwrite:
        raise PipelineError(f"{contract} is there already: take another --task, or --overwrite")
    if "://" in asked.file and not asked.query:
        raise PipelineError(f"{asked.file} is a database: say with --query which table is meant")
    if "://" not in asked.file and not Path(asked.file).is_file():
        raise PipelineError(f"{asked.file} is not here")


def bring(asked: argparse.Namespace) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the source as the contract describes it, and its cells."""
    if asked.query:
        path = RAW / asked.task / f"{asked.task}.parquet"
        question = Question(asked.file, asked.query, f"conf/task/{asked.task}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        materialise(question, path, os.environ)
        origin, frame = read_table(path, None)
        return {**origin, "database": asked.file, "query": asked.query}, frame
    path = Path(asked.file)
    origin, frame = read_table(path, asked.names.split(",") if asked.names else None)
    return {**origin, "path": within(path).as_posix()}, frame


def within(path: Path) -> Path:
    """Return the file's path in the repository; one that lies outside comes into ``data/raw``."""
    here = Path.cwd()
    inside = path.resolve().is_relative_to(here)
    kept = path.resolve().relative_to(here) if inside else RAW / path.name
    if not inside and kept.exists():
        raise PipelineError(f"{kept} is there already: name it as FILE, or take it away")
    return kept


def keep(path: Path, kept: Path) -> None:
    """Copy a file that lies outside the repository to where the contract has it."""
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept)
        print(f"{path} is copied to {kept}: run `dvc add {kept}` to keep it")


def draft(asked: argparse.Namespace, origin: dict[str, Any], frame: pd.DataFrame) -> str:
    """Return the contract's text; raises PipelineError where the target is no column."""
    if asked.target not in frame.columns:
        raise PipelineError(
            f"--target {asked.target!r} is no column of {asked.file}: it has "
            f"{', '.join(map(str, frame.columns))}"
        )
    decimal = origin.get("decimal", ".")
    aim = find_aim(frame, asked.target, asked.positive, decimal)
    names = [name for name in frame.columns if name != asked.target]
    group = find_group(frame, names)
    guesses = [guess_column(name, frame[name], decimal) for name in names]
    flagged = [
        _without(guess, frame, asked.target, "classes" in aim.target, decimal)
        for guess in guesses
        if guess.name != group
    ]
    title = asked.task.replace("_", " ").capitalize()
    return written(title, origin, flagged, aim, group, len(frame))


def _without(
    guess: Guess, frame: pd.DataFrame, target: str, is_classification: bool, decimal: str
) -> Guess:
    """Return the guess, left out where the column alone tells the target."""
    if guess.left_out or guess.type == "text":
        return guess
    y = as_tokens(frame[target]) if is_classification else to_numbers(frame[target], decimal)
    cells = _as_numbers(frame[guess.name], decimal)
    told = told_share(cells, y.to_numpy(), is_classification=is_classification)
    if told < SURE:
        return guess
    reason = f"a leak? It alone tells {told:.1%} of the target. Put it back if it is known in time"
    return Guess(guess.name, left_out=reason)


def _as_numbers(cells: pd.Series, decimal: str) -> Any:
    """Return numbers as they are, and words as the order of their first appearance."""
    numbers = to_numbers(cells, decimal)
    if numbers.notna().sum() == cells.notna().sum():
        return numbers.to_numpy()
    return pd.Series(pd.factorize(as_tokens(cells))[0]).replace(-1, float("nan")).to_numpy()


if __name__ == "__main__":
    run_plainly("contract", main)
