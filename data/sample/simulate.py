"""Write the two simulated sample tables beside this file, and a later window for each task.

    python data/sample/simulate.py            writes heart.csv, housing.csv and later/*.parquet
    python data/sample/simulate.py --check    exits 1 if the files differ from what it would write

The models behind the tables are described in `simulate_heart.py` and `simulate_housing.py`, what
is other in the windows in `simulate_later.py`. Every
number is drawn from a NumPy generator with a fixed seed and rounded before it is written, so that
the bytes are the same wherever and whenever this runs.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
import simulate_heart
import simulate_housing
import simulate_later

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Write the tables or, with --check, compare them with the files."""
    parser = argparse.ArgumentParser(description="Write the simulated sample tables.")
    parser.add_argument("--check", action="store_true", help="compare with the files, write none")
    only_check = parser.parse_args().check
    tables = {"heart.csv": simulate_heart.simulate(), "housing.csv": simulate_housing.simulate()}
    for name, table in tables.items():
        if only_check:
            check(HERE / name, table)
        else:
            write(HERE / name, table)
    for task, window in simulate_later.simulate().items():
        path = HERE / "later" / f"{task}.parquet"
        if only_check:
            check_window(path, window)
        else:
            write_window(path, window)


def write_window(path: Path, window: pd.DataFrame) -> None:
    """Replace the file."""
    path.parent.mkdir(exist_ok=True)
    window.to_parquet(path, index=False)
    print(f"later/{path.name}: {len(window)} rows written")


def check_window(path: Path, window: pd.DataFrame) -> None:
    """Leave with a message unless the file holds exactly this table; its bytes name a library."""
    if not path.exists() or not pd.read_parquet(path).equals(window):
        sys.exit(
            f"later/{path.name} is missing or differs from what its generator writes; write it "
            "again with `python data/sample/simulate.py`"
        )
    print(f"later/{path.name}: as generated")


def write(path: Path, table: pd.DataFrame) -> None:
    """Replace the file."""
    path.write_bytes(as_csv(table))
    print(f"{path.name}: {len(table)} rows written")


def check(path: Path, table: pd.DataFrame) -> None:
    """Leave with a message unless the file holds exactly this table."""
    if not path.exists():
        sys.exit(f"{path.name} is missing; write it with `python data/sample/simulate.py`")
    if path.read_bytes() != as_csv(table):
        sys.exit(
            f"{path.name} differs from what its generator writes: {first_difference(path, table)}\n"
            "Never edit it by hand; write it again with `python data/sample/simulate.py`"
        )
    print(f"{path.name}: as generated")


def first_difference(path: Path, table: pd.DataFrame) -> str:
    """Name the first line that differs, and what the two sides have there."""
    found = [*path.read_bytes().split(b"\n"), b"<end of file>"]
    wanted = [*as_csv(table).split(b"\n"), b"<end of file>"]
    line = next(i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b)
    return f"line {line + 1} is {found[line]!r}, not {wanted[line]!r}"


def as_csv(table: pd.DataFrame) -> bytes:
    """Give the file's bytes: Unix line ends on every platform, empty cells for missing values."""
    return table.to_csv(index=False, lineterminator="\n").encode("ascii")


if __name__ == "__main__":
    main()
