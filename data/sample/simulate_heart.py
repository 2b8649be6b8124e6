"""Simulate a cardiology table in the coding of the UCI Cleveland heart-disease data.

The model
---------
Each patient has one hidden quantity, the *burden* of coronary atherosclerosis. Risk factors raise
it, signs reveal it. In standard deviations, with Normal noise of its own in every line:

    age       Normal, drawn again outside 29 to 77 years; 68 % men, who are a little younger
    trestbps, chol     rise with age, chol is lower in men; their upper tails are long
    fbs       rises with age and trestbps
    burden    rises with age, male sex, chol and trestbps
    num       burden cut at four heights: how far the arteries are narrowed; ill means num > 0.
              Burden is evened out first, so that the shares are met in every sample
    shortage  = tanh(2 (burden - 0.1)): blood missing in the heart muscle, a step made smooth
    fitness   how well the patient bears exercise, whatever the arteries
    cp, exang, thalach, oldpeak, slope     shortage (oldpeak: burden) and want of fitness;
              thalach also falls about a beat a year, slope follows oldpeak's tracing, and
              cp has a small term against male sex
    thal      shortage and male sex; ca: burden and age; restecg: trestbps, age, burden

A coded column is its score cut so that the codes take the shares stated in the code. Given the
quantities named in its line, each column is independent of all the others.

The figures
-----------
Cohort (303 patients sent to angiography in Cleveland): Detrano et al. 1989, Am J Cardiol
64:304-310. Codes, class counts (164, 55, 36, 35, 13), 206 men, mean age 54, missing cells (ca 4,
thal 2): the data at UCI, DOI 10.24432/C52P4X. Fall of maximal heart rate with age: Fox et al. 1971,
Ann Clin Res 3:404-432. The weights are ours, chosen so that averages, spreads, correlations and
model scores come near those of the published table. No row of it is read or copied.
"""

from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

Reals = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

SEED = 13  # one of those whose 304 patients lie close to the averages of the model
PATIENTS = 304
MISSING_CELLS = {"ca": 4, "thal": 2}


@dataclass(frozen=True)
class Scores:
    """What the signs depend on, each in standard deviations, one entry a patient."""

    age: Reals
    male: Reals
    pressure: Reals
    burden: Reals
    shortage: Reals
    fitness: Reals


def simulate(seed: int = SEED, patients: int = PATIENTS) -> pd.DataFrame:
    """Draw the whole table; the same on every call. Another seed draws other patients."""
    rng = np.random.default_rng(seed)
    risks = draw_risk_factors(rng, patients)
    z = draw_scores(rng, risks)
    columns = risks | draw_resting_signs(rng, z) | draw_exercise_signs(rng, z)
    columns |= draw_images(rng, z)
    columns["num"] = coded(z.burden, {0: 0.541, 1: 0.181, 2: 0.119, 3: 0.116, 4: 0.043})
    return blank_cells(rng, in_published_order(pd.DataFrame(columns)))


def draw_risk_factors(rng: np.random.Generator, patients: int) -> dict[str, Codes | Reals]:
    """Draw what is known before any examination: age, sex, blood pressure, blood tests."""
    male = (rng.random(patients) < 0.68).astype(np.int64)
    years = draw_age(rng, male)
    age = standard(years)
    pressure = noisy(rng, 0.28 * age, 0.96)
    chol = noisy(rng, 0.20 * age - 0.42 * male, 0.95)
    sugar = noisy(rng, 0.16 * age + 0.20 * pressure, 0.95)
    return {
        "age": years,
        "sex": male,
        "trestbps": read_off(rng, skewed(pressure, 60.0, 70.0, 0.245).clip(94, 200)),
        "chol": whole(skewed(chol, 0.0, 241.5, 0.205)),
        "fbs": coded(sugar, {0: 0.85, 1: 0.15}),
    }


def draw_age(rng: np.random.Generator, male: Codes) -> Codes:
    """Draw ages in years, and again those outside the range of the cohort."""
    years = np.zeros(male.size, dtype=np.int64)
    while (outside := (years < 29) | (years > 77)).any():
        draws = 55.9 - 1.9 * male + 9.1 * rng.standard_normal(male.size)
        years = np.where(outside, whole(draws), years)
    return years


def read_off(rng: np.random.Generator, pressure: Reals) -> Codes:
    """Round as people read a dial: many of them to tens, most others to even numbers."""
    habit = rng.random(pressure.size)
    step = np.select([habit < 0.43, habit < 0.88], [10.0, 2.0], 1.0)
    return whole(np.round(pressure / step) * step)


def draw_scores(rng: np.random.Generator, risks: dict[str, Codes | Reals]) -> Scores:
    """Draw what no table shows: the disease, and how well the patient bears exercise."""
    age, male, chol, pressure = (standard(risks[c]) for c in ("age", "sex", "chol", "trestbps"))
    risk = 0.26 * age + 0.37 * male + 0.12 * chol + 0.10 * pressure
    burden = evened(noisy(rng, risk, 0.84))
    # Muscle hardly goes short of blood until an artery is half closed, and then quickly does.
    shortage = standard(np.tanh(2.0 * (burden - 0.1)))
    return Scores(age, male, pressure, burden, shortage, rng.standard_normal(age.size))


def draw_resting_signs(rng: np.random.Generator, z: Scores) -> dict[str, Codes | Reals]:
    """Draw the complaint and the resting ECG."""
    complaint = noisy(rng, 0.57 * z.shortage - 0.14 * z.male - 0.34 * z.fitness, 0.70)
    tracing = noisy(rng, 0.14 * z.burden + 0.17 * z.pressure + 0.12 * z.age, 0.95)
    return {
        "cp": name_pain(rng, complaint),
        "restecg": coded(tracing, {0: 0.498, 2: 0.489, 1: 0.013}),
    }


def name_pain(rng: np.random.Generator, complaint: Reals) -> Codes:
    """Call the highest scores 4, asymptomatic: at angiography these patients were the illest."""
    kind = coded(noisy(rng, 0.30 * complaint, 0.95), {2: 0.31, 3: 0.55, 1: 0.14})
    return np.where(coded(complaint, {0: 0.525, 4: 0.475}) == 4, 4, kind)


def draw_exercise_signs(rng: np.random.Generator, z: Scores) -> dict[str, Codes | Reals]:
    """Draw the treadmill's findings: heart rate, angina, and the ST segment of the tracing."""
    rate = noisy(rng, 0.35 * z.fitness - 0.32 * z.age - 0.40 * z.shortage, 0.74)
    angina = noisy(rng, 0.52 * z.shortage - 0.36 * z.fitness, 0.74)
    depression = noisy(rng, 0.54 * z.burden - 0.24 * z.fitness, 0.79)
    segment = noisy(rng, 0.58 * depression + 0.12 * z.shortage - 0.26 * z.fitness, 0.66)
    return {
        # The long tail points down: few hearts beat much faster than most, some much slower.
        "thalach": whole(skewed(-rate, 255.0, -103.0, 0.215).clip(71, 202)),
        "exang": coded(angina, {0: 0.673, 1: 0.327}),
        "oldpeak": skewed(depression, -2.6, 3.3, 0.37).clip(0.0, 6.2).round(1),
        "slope": coded(segment, {1: 0.47, 2: 0.46, 3: 0.07}),
    }


def draw_images(rng: np.random.Generator, z: Scores) -> dict[str, Codes | Reals]:
    """Draw the calcified vessels seen by fluoroscopy (ca) and the thallium scan (thal)."""
    vessels = noisy(rng, 0.50 * z.burden + 0.27 * z.age, 0.74)
    perfusion = noisy(rng, 0.54 * z.shortage + 0.28 * z.male - 0.10 * z.fitness, 0.69)
    # One defect in eight is fixed (6): a scar of an old infarction; the others are reversible (7).
    defect = np.where(rng.random(z.age.size) < 0.13, 6, 7)
    return {
        "ca": coded(vessels, {0: 0.59, 1: 0.22, 2: 0.125, 3: 0.065}),
        "thal": np.where(coded(perfusion, {0: 0.55, 1: 0.45}) == 1, defect, 3),
    }


def in_published_order(table: pd.DataFrame) -> pd.DataFrame:
    """Order the columns as the published table does: by the course of the examination."""
    known = ["age", "sex", "cp", "trestbps", "chol", "fbs", "restecg"]
    return table[[*known, "thalach", "exang", "oldpeak", "slope", "ca", "thal", "num"]]


def blank_cells(rng: np.random.Generator, table: pd.DataFrame) -> pd.DataFrame:
    """Lose a few results of the two imaging tests, in different rows for each."""
    table = table.astype(dict.fromkeys(MISSING_CELLS, "Int64"))
    rows = np.argsort(rng.random(len(table)))
    for column, cells in MISSING_CELLS.items():
        table.loc[rows[:cells], column] = pd.NA
        rows = rows[cells:]
    return table


def standard(values: Codes | Reals) -> Reals:
    """Scale to mean 0 and variance 1."""
    return np.asarray((values - values.mean()) / values.std(), dtype=np.float64)


def noisy(rng: np.random.Generator, signal: Reals, spread: float) -> Reals:
    """Blur a signal with Normal noise, and scale the sum to variance 1."""
    return standard(signal + spread * rng.standard_normal(signal.size))


def evened(score: Reals) -> Reals:
    """Replace each score by what a Normal sample would have at its rank: shares without luck."""
    quantiles = (np.argsort(np.argsort(score)) + 0.5) / score.size
    return np.array([NormalDist().inv_cdf(quantile) for quantile in quantiles])


def skewed(score: Reals, floor: float, scale: float, sigma: float) -> Reals:
    """Turn a Normal score into a shifted log-normal quantity, whose median is floor + scale."""
    return floor + scale * np.exp(sigma * score)


def coded(score: Reals, shares: dict[int, float]) -> Codes:
    """Cut a Normal score so that the codes, from low to high, take the given shares."""
    codes = np.array(list(shares), dtype=np.int64)
    heights = [NormalDist().inv_cdf(share) for share in list(accumulate(shares.values()))[:-1]]
    return codes[np.searchsorted(heights, score)]


def whole(values: Reals) -> Codes:
    """Round to whole numbers."""
    return np.round(values).astype(np.int64)
