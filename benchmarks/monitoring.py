"""Counts what monitoring finds, and what it should not: ``python -m benchmarks.monitoring PART``.

Parts: alarms (undisturbed windows of real tables), power (disturbed windows), stream (errors that
trickle in), time (rows that depend on those before them), harm, hospitals, cost, or all.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from stages.monitoring.calibrating import calibrate
from stages.monitoring.calibration import Calibration
from stages.monitoring.columns import Column, Plain, make_plain
from stages.monitoring.counts import rank_middle
from stages.monitoring.encoder import fit_encoder
from stages.monitoring.harm import carry_numbers, estimate_faulty
from stages.monitoring.layout import lay_out
from stages.monitoring.settings import MonitoringSettings
from stages.monitoring.statistics import Base, Sums, add_up, compute_statistics, list_statistics
from stages.monitoring.streams import find_alarm
from stages.monitoring.windows import cut_stretches, draw_windows

Change = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]
SIZES = (25, 50, 100, 250, 500, 1000, 2500, 5000)
HEART = ["age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang"]
HEART += ["oldpeak", "slope", "ca", "thal", "num"]
CODES = ["sex", "cp", "fbs", "restecg", "exang", "slope", "thal"]


@dataclass(frozen=True)
class Judge:
    """A reference made ready, and its calibration."""

    calibration: Calibration
    encode: Callable[[Plain], Any]
    statistics: Callable[[Sums], Any]
    names: list[str]

    @classmethod
    def fit(cls, table: pd.DataFrame, columns: list[Column], in_order: bool = False) -> "Judge":
        plain = make_plain(table, columns)
        calibration = calibrate(plain, make_settings(), in_order=in_order)
        layout = lay_out(plain)
        encoder = fit_encoder(layout, plain)
        base = Base.from_encoded(encoder.encode(plain, own=True))
        names = [statistic.name for statistic in list_statistics(layout)]
        return cls(
            calibration, encoder.encode, lambda sums: compute_statistics(sums, base, encoder), names
        )

    def find(self, sums: Sums) -> Any:
        """Return which of the windows alarm."""
        null = self.calibration.find_null(sums.rows)
        assert null is not None
        sizes = null.measure_sizes(self.statistics(sums))
        return sizes.max(axis=1) > null.threshold


def make_settings() -> MonitoringSettings:
    content = {"budget": 0.01, "seed": 1, "reference_rows": 10_000, "sizes": list(SIZES)}
    content |= {"windows": 2400, "harmless": 0.05, "power": {"shift": 0.3, "probability": 0.9}}
    return MonitoringSettings.model_validate(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=[*PARTS, "all"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the tables")
    parser.add_argument("--references", type=int, default=8, help="draws of the reference")
    parser.add_argument("--windows", type=int, default=500, help="windows for each")
    asked = parser.parse_args()
    for name, run in PARTS.items():
        if asked.part in (name, "all"):
            run(asked)


def read_tables(data: Path) -> dict[str, pd.DataFrame]:
    """Return real tables, whose rows are taken as if they had no order."""
    from sklearn.datasets import load_breast_cancer, load_digits

    bike = pd.read_csv(data / "forecast/hour.csv").drop(columns=["instant", "dteday"])
    return {
        "housing": pd.read_csv(data / "housing/housing.csv"),
        "bike": bike.astype(dict.fromkeys(["season", "mnth", "weekday", "weathersit"], str)),
        "electricity": read_electricity(data),
        "air": read_air(data).drop(columns=["time"]),
        "hearts": pd.concat(read_hospitals(data).values(), ignore_index=True),
        "digits": load_digits(as_frame=True).frame.iloc[:, 10:40],
        "tumours": load_breast_cancer(as_frame=True).frame,
        "simulated": make_heavy(),
    }


def make_heavy() -> pd.DataFrame:
    """Return a simulated table of what is hard: Cauchy tails, counts, rare values, gaps."""
    rng, rows = np.random.default_rng(99), 40_000
    return pd.DataFrame(
        {
            "cauchy": rng.standard_cauchy(rows),
            "pareto": rng.pareto(1.2, rows),
            "counts": rng.poisson(0.2, rows).astype(float),
            "gaps": np.where(rng.random(rows) < 0.002, 1.0, np.nan),
            "spike": np.where(rng.random(rows) < 0.95, 0.0, rng.standard_normal(rows)),
            "rare": rng.choice(["a", "b", "c"], rows, p=[0.9, 0.099, 0.001]),
            "many": rng.zipf(1.5, rows).clip(0, 500).astype(str),
        }
    )


def read_electricity(data: Path) -> pd.DataFrame:
    names = ["date", "day", "period", "nswprice", "nswdemand", "vicprice", "vicdemand"]
    path = data / "monitoring/elecNormNew.arff"
    table = pd.read_csv(path, skiprows=13, names=[*names, "transfer", "class"])
    return table.drop(columns=["date"]).astype({"day": str})


def read_air(data: Path) -> pd.DataFrame:
    path = data / "monitoring/AirQualityUCI.csv"
    table: pd.DataFrame = pd.read_csv(path, sep=";", decimal=",", na_values=["-200"])
    table = table.dropna(how="all").iloc[:, :-2].drop(columns=["Time"])
    return table.rename(columns={"Date": "time"})


def read_hospitals(data: Path) -> dict[str, pd.DataFrame]:
    names = ("cleveland", "hungarian", "switzerland", "va")
    return {name: read_hospital(data / f"heart/processed.{name}.data") for name in names}


def read_hospital(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, names=HEART, na_values="?")
    coded = {name: table[name].map(lambda c: None if pd.isna(c) else f"{c:g}") for name in CODES}
    return table.assign(**coded)


def list_columns(table: pd.DataFrame) -> list[Column]:
    kinds = {name: "number" if table[name].dtype.kind in "if" else "category" for name in table}
    return [Column(str(name), kind) for name, kind in kinds.items()]  # type: ignore[arg-type]


def cut(table: pd.DataFrame, rows: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a reference of at most so many rows, two thirds at most, and the others."""
    order = np.random.default_rng(seed).permutation(len(table))
    size = min(rows, 2 * len(table) // 3)
    return (table.iloc[part].reset_index(drop=True) for part in (order[:size], order[size:]))  # type: ignore[return-value]


def bound(hits: int, windows: int) -> float:
    """Return the upper end of the exact 95 % interval, one-sided."""
    return float(betaincinv(hits + 1, windows - hits, 0.95))


def count_alarms(asked: argparse.Namespace) -> None:
    print(
        "| table | rows of the reference | n | false alarms | 95 % upper bound | worst reference |"
    )
    print("|---|--:|--:|--:|--:|--:|")
    for name, table in read_tables(asked.data).items():
        columns = list_columns(table)
        rates: dict[int, list[int]] = {}
        for draw in range(asked.references):
            known, rest = cut(table, 10_000, draw)
            judge, rng = Judge.fit(known, columns), np.random.default_rng([draw, 2])
            encoded = judge.encode(make_plain(rest, columns))
            sizes = [
                n.rows
                for n in judge.calibration.sizes
                if n.rows <= min(len(rest) // 4, len(known) // 20)
            ]
            for sums in draw_windows(encoded, sizes, asked.windows, rng) if sizes else ():
                rates.setdefault(sums.rows, []).append(int(judge.find(sums).sum()))
        for rows, hits in rates.items():
            total = asked.windows * len(hits)
            print(
                f"| {name} | {len(known):,} | {rows} | {sum(hits) / total:.2%} | "
                f"{bound(sum(hits), total):.2%} | {max(hits) / asked.windows:.1%} |",
                flush=True,
            )


def measure_power(asked: argparse.Namespace) -> None:
    print("| change of California housing | n | found |\n|---|--:|--:|")
    table = pd.read_csv(asked.data / "housing/housing.csv")
    columns, rng = list_columns(table), np.random.default_rng(5)
    known, rest = cut(table, 10_000, 0)
    judge = Judge.fit(known, columns)
    for what, rows, changes in list_changes(known):
        shares = [
            find_changed(judge, rest, columns, rows, change, rng, asked.windows)
            for change in changes
        ]
        worst = f", worst column {min(shares):.0%}" if len(shares) > 1 else ""
        print(f"| {what} | {rows} | {np.mean(shares):.1%}{worst} |", flush=True)
    compare_power(judge, rest, columns, rng, asked.windows)


def list_changes(known: pd.DataFrame) -> Iterator[tuple[str, int, list[Change]]]:
    numbers = [str(name) for name in known if known[name].dtype.kind == "f"]
    spread = known[numbers].std()
    for rows in (250, 500):
        shifts: list[Change] = [shift([name], 0.3 * spread) for name in numbers]
        yield "one of ten columns by 0.3 standard deviations", rows, shifts
    yield "all numbers by 0.1 standard deviations", 500, [shift(numbers, 0.1 * spread)]
    yield "spread of one number x 1.3", 500, [stretch(name, 1.3) for name in numbers]
    yield "one number shuffled: correlations broken", 250, [shuffle(name) for name in numbers]
    yield "5 points more missing", 500, [lose(name, 0.05) for name in numbers]
    yield "10 % of INLAND called <1H OCEAN", 1000, [move("INLAND", "<1H OCEAN", 0.1)]
    gross: list[Change] = [spoil(name, 10 * spread[name], 0.02) for name in numbers]
    yield "2 % gross outliers (10 standard deviations)", 250, gross


def shift(names: list[str], by: pd.Series) -> Change:
    return lambda table, _: table.assign(**{name: table[name] + by[name] for name in names})


def stretch(name: str, factor: float) -> Change:
    def change(table: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
        middle = table[name].mean()
        return table.assign(**{name: middle + factor * (table[name] - middle)})

    return change


def shuffle(name: str) -> Change:
    return lambda table, rng: table.assign(**{name: rng.permutation(table[name].to_numpy())})


def lose(name: str, share: float) -> Change:
    return lambda table, rng: table.assign(
        **{name: table[name].mask(rng.random(len(table)) < share)}
    )


def move(value: str, other: str, share: float) -> Change:
    def change(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        chosen = (table["ocean_proximity"] == value) & (rng.random(len(table)) < share)
        return table.assign(ocean_proximity=table["ocean_proximity"].mask(chosen, other))

    return change


def spoil(name: str, by: float, share: float) -> Change:
    def change(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        chosen = rng.random(len(table)) < share
        return table.assign(**{name: table[name].mask(chosen, table[name] + by)})

    return change


def find_changed(
    judge: Judge,
    rest: pd.DataFrame,
    columns: list[Column],
    rows: int,
    change: Change,
    rng: np.random.Generator,
    windows: int,
) -> float:
    hits = 0
    for _ in range(windows):
        window = rest.iloc[rng.choice(len(rest), rows, replace=False)].reset_index(drop=True)
        encoded = judge.encode(make_plain(change(window, rng), columns))
        hits += int(judge.find(add_up(encoded))[0])
    return hits / windows


def compare_power(
    judge: Judge,
    rest: pd.DataFrame,
    columns: list[Column],
    rng: np.random.Generator,
    windows: int,
) -> None:
    """Hold the power card's probability against the share found of shifts as large as it names."""
    print(
        "\n| column | n | smallest shift by the card, found with 90 % | found |\n|---|--:|--:|--:|"
    )
    for rows in (50, 100):
        card = judge.calibration.find_card(rows)
        for column in card.columns if card else ():
            if column.smallest is None or column.smallest <= 0.05:
                continue
            by = pd.Series({column.part: column.smallest * column.spread})
            share = find_changed(judge, rest, columns, rows, shift([column.part], by), rng, windows)
            print(f"| {column.part} | {rows} | {column.smallest:.3f} | {share:.1%} |", flush=True)


def follow_streams(asked: argparse.Namespace) -> None:
    del asked
    rng = np.random.default_rng(1)
    quiet = [find_alarm((rng.random(5000) < 0.1).astype(float), 0.1, 0.01) for _ in range(20_000)]
    worse = [find_alarm((rng.random(6000) < 0.15).astype(float), 0.1, 0.01) for _ in range(1000)]
    alarms = sum(found is not None for found in quiet)
    print(f"errors of 10 %, 5,000 rows, looked at after each: {alarms / 20_000:.2%} ever alarm")
    rows = [found for found in worse if found]
    print(f"errors of 15 %: {len(rows) / 10:.1f} % found, median after {np.median(rows):.0f} rows")


def judge_series(asked: argparse.Namespace) -> None:
    """Windows of rows that follow one another, later than the reference."""
    print("| series | n | false alarms, calibrated in time | as if rows were independent |")
    print("|---|--:|--:|--:|")
    for name, draw in SERIES.items():
        hits = {True: 0, False: 0}
        total = 0
        for seed in range(asked.references):
            table = pd.DataFrame(
                draw(np.random.default_rng([seed, 9]), 30_000), columns=list("wxyz")
            )
            known, later = table.iloc[:6000], table.iloc[8000:].reset_index(drop=True)
            columns = list_columns(table)
            for in_order in hits:
                judge = Judge.fit(known, columns, in_order)
                encoded = judge.encode(make_plain(later, columns))
                sums, _ = cut_stretches(encoded, 250, 88)
                hits[in_order] += int(judge.find(sums).sum())
            total += len(sums.measured)
        print(
            f"| {name} | 250 | {hits[True] / total:.1%} | {hits[False] / total:.1%} |", flush=True
        )


def draw_autoregression(share: float) -> Callable[[np.random.Generator, int], Any]:
    def draw(rng: np.random.Generator, rows: int) -> Any:
        noise, series = rng.standard_normal((rows, 4)), np.zeros((rows, 4))
        for row in range(1, rows):
            series[row] = share * series[row - 1] + noise[row]
        return series

    return draw


def draw_season(rng: np.random.Generator, rows: int) -> Any:
    hours = np.arange(rows)[:, None]
    day, week = np.sin(2 * np.pi * hours / 24), np.sin(2 * np.pi * hours / 168)
    return day + week + draw_autoregression(0.5)(rng, rows)


SERIES = {
    "AR(1) of 0.5": draw_autoregression(0.5),
    "AR(1) of 0.9": draw_autoregression(0.9),
    "day, week and AR(1) of 0.5": draw_season,
}


def weigh_harm(asked: argparse.Namespace) -> None:
    """Shift each column of housing by several spreads: is a rise of the loss by 5 % foreseen?"""
    from sklearn.ensemble import HistGradientBoostingRegressor

    table = pd.read_csv(asked.data / "housing/housing.csv").dropna()
    numbers = [str(name) for name in table if table[name].dtype.kind == "f"]
    inputs = [name for name in numbers if name != "median_house_value"]
    known, rest = cut(table, 10_000, 3)
    model = HistGradientBoostingRegressor(random_state=0)
    model.fit(known[inputs].iloc[:7000], np.log(known["median_house_value"].iloc[:7000]))

    def predict(frame: pd.DataFrame) -> Any:
        return model.predict(frame[inputs])

    unseen = known.iloc[7000:]
    loss = float(((predict(unseen) - np.log(unseen["median_house_value"])) ** 2).mean())
    foreseen, truly, rng = [], [], np.random.default_rng(8)
    for name in inputs:
        for shift_by in (0.02, 0.05, 0.1, 0.2, 0.4, 0.8):
            window = rest.iloc[rng.choice(len(rest), 500, replace=False)].reset_index(drop=True)
            moved = window.assign(**{name: window[name] + shift_by * known[name].std()})
            truth = np.log(window["median_house_value"])
            rise = ((predict(moved) - truth) ** 2 - (predict(window) - truth) ** 2).mean() / loss
            carried = carry_numbers(moved[name], known[name].to_numpy())
            found = estimate_faulty(moved, name, carried, predict, loss)
            foreseen.append(found.value if found else 0.0)
            truly.append(rise > 0.05)
    ranks, harmful = rank_middle(np.array(foreseen)), np.array(truly)
    ones = harmful.sum()
    area = (ranks[harmful].sum() - ones * (ones + 1) / 2) / (ones * (len(harmful) - ones))
    print(f"{ones} of {len(harmful)} shifts raise the loss by more than 5 %: AUROC {area:.3f}")


def judge_hospitals(asked: argparse.Namespace) -> None:
    hospitals = {
        name: table.assign(num=(table["num"] > 0).map({True: "ill", False: "healthy"}))
        for name, table in read_hospitals(asked.data).items()
    }
    cleveland = hospitals.pop("cleveland")
    half = len(cleveland) // 2
    cases = [("Cleveland's later half", cleveland.iloc[:half], cleveland.iloc[half:])]
    cases += [(name, cleveland, table) for name, table in hospitals.items()]
    for name, known, window in cases:
        columns = list_columns(known)
        judge = Judge.fit(known.reset_index(drop=True), columns)
        largest = judge.calibration.sizes[-1].rows
        chosen = np.linspace(0, len(window) - 1, min(len(window), largest)).astype(int)
        shown = window.iloc[chosen].astype({"ca": float}).reset_index(drop=True)
        deviates = judge.statistics(add_up(judge.encode(make_plain(shown, columns))))[0]
        null = judge.calibration.find_null(len(shown))
        assert null is not None
        sizes = null.measure_sizes(deviates)
        own = [i for i in np.argsort(-sizes) if sizes[i] > null.threshold]
        names = dict.fromkeys(
            judge.names[i].split(" · ")[1] for i in own if "given" not in judge.names[i]
        )
        verdict = "alarm" if own else "no alarm"
        print(f"{name}, {len(shown)} rows: {verdict} {', '.join(list(names))}", flush=True)


def measure_cost(asked: argparse.Namespace) -> None:
    del asked
    rng = np.random.default_rng(2)
    mixing = rng.standard_normal((50, 50)) / 7
    table = pd.DataFrame(
        rng.standard_normal((12_000, 50)) @ mixing, columns=[f"c{i}" for i in range(50)]
    )
    columns = list_columns(table)
    start = time.process_time()
    judge = Judge.fit(table.iloc[:10_000].reset_index(drop=True), columns)
    fitted = time.process_time()
    judge.find(add_up(judge.encode(make_plain(table.iloc[10_000:11_000], columns))))
    done = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"10,000 x 50: calibrated in {fitted - start:.1f} s CPU, {memory:.0f} MB; "
        f"1,000 rows judged in {done - fitted:.3f} s"
    )


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "alarms": count_alarms,
    "power": measure_power,
    "stream": follow_streams,
    "time": judge_series,
    "harm": weigh_harm,
    "hospitals": judge_hospitals,
    "cost": measure_cost,
}

if __name__ == "__main__":
    main()
