"""Simulate a window of later rows for each sample task, with a drift that is written down here.

The drift
---------
heart      150 patients more. The clinic has new cuffs that read 12 mmHg too high, and the
           laboratory lost one cholesterol in five. Nothing else is other than before.
housing    400 blocks more. One block in ten reports its income in thousands of dollars instead of
           tens of thousands, and nobody counts bedrooms in one block of fifteen.
sentiment  90 reviews of courses, a domain that nobody wrote about before, made of templates.

Each has its outcomes: what came out is known for every row.
"""

import itertools

import numpy as np
import pandas as pd
import simulate_heart
import simulate_housing

SEED = 2027
PATIENTS, BLOCKS, REVIEWS = 150, 400, 90
CUFF = 12  # mmHg
LOST_CHOLESTEROL = 0.2
OTHER_UNIT, LOST_BEDROOMS = 0.1, 1 / 15

LESSONS = ("lectures", "exercises", "slides", "tutors", "videos", "labs", "quizzes", "handouts")
GOOD = ("clear", "well prepared", "a pleasure", "worth every hour", "better than promised")
BAD = ("a mess", "badly prepared", "too shallow", "a waste of evenings", "worse than promised")
COURSES = ("statistics", "pottery", "Spanish", "welding", "bookkeeping", "photography")
ENDINGS = {
    "positive": (
        "I enrolled again at once.",
        "My whole class agrees.",
        "The certificate came, too.",
    ),
    "negative": ("I dropped out in week three.", "Half the class left.", "No certificate either."),
}


def simulate() -> dict[str, pd.DataFrame]:
    """Draw the windows by task; the same on every call."""
    return {"heart": draw_heart(), "housing": draw_housing(), "sentiment": draw_reviews()}


def draw_heart() -> pd.DataFrame:
    """Draw patients as before, then spoil two of their columns."""
    table = simulate_heart.simulate(SEED, PATIENTS)
    lost = np.random.default_rng([SEED, 1]).random(len(table)) < LOST_CHOLESTEROL
    return table.assign(
        trestbps=table["trestbps"] + CUFF,
        chol=table["chol"].astype("Int64").mask(lost),
    )


def draw_housing() -> pd.DataFrame:
    """Draw blocks as before, then spoil two of their columns."""
    table = simulate_housing.simulate_later(SEED, BLOCKS)
    draws = np.random.default_rng([SEED, 2]).random((2, len(table)))
    income = table["median_income"]
    return table.assign(
        median_income=income.where(draws[0] >= OTHER_UNIT, (10 * income).round(4)),
        total_bedrooms=table["total_bedrooms"].mask(draws[1] < LOST_BEDROOMS),
    )


def draw_reviews() -> pd.DataFrame:
    """Put reviews together from templates, half of them positive; no two are the same."""
    rng = np.random.default_rng([SEED, 3])
    halves = []
    for label, verdicts in (("positive", GOOD), ("negative", BAD)):
        texts = [
            f"The {lesson} of the {course} course were {verdict}. {ending}"
            for lesson, course, verdict, ending in itertools.product(
                LESSONS, COURSES, verdicts, ENDINGS[label]
            )
        ]
        chosen = rng.choice(len(texts), REVIEWS // 2, replace=False)
        halves.append(pd.DataFrame({"text": [texts[i] for i in chosen], "label": label}))
    table = pd.concat(halves, ignore_index=True)
    return table.iloc[rng.permutation(len(table))].assign(domain="course").reset_index(drop=True)
