"""What runs after an edit: the table that README shows and ``test_pipeline.py`` proves."""

from dataclasses import dataclass

MODELS = ("forest", "lightgbm", "linear", "xgboost")


@dataclass(frozen=True)
class Edit:
    """A change to one file, and the stages that must run because of it, no more and no fewer."""

    what: str
    path: str
    old: str
    new: str
    stages: frozenset[str]
    shown: str
    directly: bool  # each of them depends on the file itself: `dvc status` names them all


def names(text: str) -> frozenset[str]:
    """Return stage names; ``train@heart-*`` stands for every model of the task."""
    found = set()
    for name in text.split():
        found |= {name.replace("*", model) for model in MODELS} if "*" in name else {name}
    return frozenset(found)


def edit(what: str, path: str, old: str, new: str, stages: str, directly: bool = False) -> Edit:
    """Every edit of ``conf/`` or ``stages/`` also runs the guard, ``compose``."""
    shown = ", ".join(f"`{name}`" for name in stages.split()) or "none"
    return Edit(what, path, old, new, names(stages), shown, directly)


EDITS = (
    edit(
        "one hyperparameter of one model, for one task",
        "conf/task/heart.yaml",
        "C: 0.1",
        "C: 0.2",
        "compose train@heart-linear evaluate-heart export@heart calibrate@heart monitor@heart",
    ),
    edit(
        "one hyperparameter of one model, everywhere",
        "conf/model/xgboost.yaml",
        "reg_lambda: 5.0",
        "reg_lambda: 4.0",
        "compose train@heart-xgboost train@housing-xgboost train@sentiment-xgboost "
        "evaluate-heart evaluate-housing evaluate-sentiment "
        "export@heart export@housing export@sentiment "
        "monitor@heart monitor@housing monitor@sentiment",
    ),
    edit(
        "a range in a contract",
        "conf/task/heart.yaml",
        "range: [80, 700]",
        "range: [80, 800]",
        "compose prepare@heart validate@heart export@heart monitor@heart",
    ),
    edit(
        "the metric that chooses the champion",
        "conf/task/heart.yaml",
        "metric: roc_auc",
        "metric: log_loss",
        "compose evaluate-heart export@heart monitor@heart",
    ),
    edit(
        "the seed of one task's split",
        "conf/task/housing.yaml",
        "metric: rmse",
        "metric: rmse\nsplit: { seed: 7 }",
        "compose prepare@housing validate@housing train@housing-* evaluate-housing export@housing "
        "calibrate@housing monitor@housing",
    ),
    edit(
        "a row of data",
        "data/sample/heart.csv",
        "\n",
        "\n52,1,4,130,245,0,0,150,0,1.2,2,0,3,0\n",
        "prepare@heart validate@heart train@heart-* evaluate-heart export@heart "
        "calibrate@heart monitor@heart",
    ),
    edit(
        "the code of `validate` (its verdict stays the same)",
        "stages/validate.py",
        '"""',
        '"""  ',
        "compose validate@heart validate@housing validate@sentiment",
    ),
    edit(
        "the code of `export`",
        "stages/export.py",
        '"""',
        '"""  ',
        "compose export@heart export@housing export@sentiment "
        "monitor@heart monitor@housing monitor@sentiment",
    ),
    edit(
        "how serious breaking a rule is, for one task",
        "conf/task/heart.yaml",
        "metric: roc_auc",
        "checks: { shift: error }\nmetric: roc_auc",
        "compose validate@heart",
    ),
    edit(
        "how serious breaking a rule is, for all tasks",
        "stages/validating/rules.py",
        '"shift": ("warn"',
        '"shift": ("error"',
        "compose validate@heart validate@housing validate@sentiment",
    ),
    edit(
        "the wording of a finding",
        "stages/validating/values.py",
        "seems to stand for missing",
        "may stand for missing",
        "compose validate@heart validate@housing validate@sentiment",
    ),
    edit(
        "the title of a plot",
        "stages/composing/plots.py",
        "ROC curve of the champion",
        "the champion's ROC curve",
        "compose",
    ),
    edit(
        "the text of the report on a change",
        "commands/review/markdown.py",
        '"""',
        '"""  ',
        "",
    ),
    edit(
        "the section of the contract that says how rows are split",
        "stages/contract/split.py",
        '"""',
        '"""  ',
        "compose prepare@heart prepare@housing prepare@sentiment "
        "validate@heart validate@housing validate@sentiment "
        "calibrate@heart calibrate@housing calibrate@sentiment",
    ),
    edit(
        "what every stage runs in (its code is part of what a model's file says)",
        "stages/runner/lifeline.py",
        '"""',
        '"""  ',
        "compose fetch@heart fetch@housing fetch@sentiment "
        "prepare@heart prepare@housing prepare@sentiment "
        "validate@heart validate@housing validate@sentiment "
        "train@heart-* train@housing-* train@sentiment-* fine_tune@sentiment-minilm "
        "evaluate-heart evaluate-housing evaluate-sentiment "
        "export@heart export@housing export@sentiment "
        "calibrate@heart calibrate@housing calibrate@sentiment "
        "monitor@heart monitor@housing monitor@sentiment",
        directly=True,
    ),
    edit(
        "the error budget of monitoring",
        "conf/config.yaml",
        "budget: 0.01",
        "budget: 0.02",
        "compose calibrate@heart calibrate@housing calibrate@sentiment "
        "monitor@heart monitor@housing monitor@sentiment",
    ),
)
