"""The pictures that ``dvc plots show`` draws: their titles and axes are no stage's business.

A title is written here and into ``dvc.yaml``, so that another one runs no stage again.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plot:
    """A picture that ``dvc plots show`` draws from a file which a stage writes.

    ``template`` is one of DVC's own or of ``.dvc/plots/``; ``x`` and ``y`` are fields of the file's
    points. With ``files`` it has a line for each of them. With ``problem`` only tasks of that kind
    have it. Title and labels may hold what `stages/composing/labels.py` says of the task, such as
    ``{metric}`` and ``{unit}``.
    """

    file: str
    title: str
    template: str
    x: str
    y: str
    x_label: str | None = None
    y_label: str | None = None
    problem: str | None = None
    files: tuple[str, ...] = ()


CLASSES, VALUES = "classification", "regression"
SCORE = "{metric}, {better}"


def _declare_plot(name: str, title: str, template: str, x: str, y: str, **more: str) -> Plot:
    file = f"data/evaluated/{{task}}/plots/{name}.json"
    return Plot(file, f"{{task}}: {title}", template, x, y, **more)  # type: ignore[arg-type]


EVALUATION = (
    _declare_plot(
        "candidates",
        "candidates, cross-validated",
        "intervals",
        "value",
        "name",
        x_label="mean {metric} over the folds ± 1 standard error, {better}",
    ),
    _declare_plot(
        "roc",
        "ROC curve of the champion on the test rows",
        "lines",
        "false_positive_rate",
        "true_positive_rate",
        problem=CLASSES,
        x_label="false positive rate",
        y_label="true positive rate",
    ),
    _declare_plot(
        "precision_recall",
        "precision and recall of the champion on the test rows",
        "lines",
        "recall",
        "precision",
        problem=CLASSES,
        x_label="recall",
        y_label="precision",
    ),
    _declare_plot(
        "calibration",
        "calibration of the champion on the test rows",
        "lines",
        "stated",
        "observed",
        problem=CLASSES,
        x_label="probability stated (mean of the bin)",
        y_label="share observed",
    ),
    _declare_plot(
        "confusion",
        "decisions of the champion on the test rows",
        "counts",
        "decided",
        "truth",
        problem=CLASSES,
        x_label="class decided for",
        y_label="true class",
    ),
    _declare_plot(
        "predicted",
        "actual against predicted values on the test rows",
        "identity",
        "predicted",
        "actual",
        problem=VALUES,
        x_label="predicted {target}",
        y_label="actual {target}",
    ),
    _declare_plot(
        "residuals",
        "residuals on the test rows",
        "residuals",
        "predicted",
        "residual",
        problem=VALUES,
        x_label="predicted {target}",
        y_label="actual minus predicted{unit}",
    ),
    _declare_plot(
        "learning_curve",
        "learning curve of the champion, 3-fold cross-validation",
        "lines",
        "rows",
        "score",
        x_label="rows fitted on",
        y_label=SCORE,
    ),
    _declare_plot(
        "importances",
        "importance of each column for the champion, on test rows",
        "intervals",
        "value",
        "name",
        x_label="loss of {metric} when shuffled ± 1 standard deviation",
    ),
    _declare_plot(
        "slices",
        "slices of the test rows, bootstrap intervals",
        "intervals",
        "value",
        "name",
        x_label=SCORE,
    ),
)
MODEL_CURVES = "data/candidates/{task}/{model}/curves"
ENCODER_CURVES = "data/candidates/{task}/{encoder}/curves"
WATCHED = ("train", "validation")
TUNED = "data/tuned/{task}/{tuned}"


def _declare_loss(kind: str, curves: str, rows: str, x_label: str) -> Plot:
    """A line for the rows fitted on and one for those watched, of each model or encoder."""
    return Plot(
        file=f"{{task}} - {{{kind}}} - loss",
        title=f"{{task}}, {{{kind}}}: loss on {rows}",
        template="linear",
        x="step",
        y="loss",
        x_label=x_label,
        y_label="{loss}",
        files=tuple(f"{curves}/plots/metrics/{watched}/loss.tsv" for watched in WATCHED),
    )


# By the stage that writes their files.
PLOTS: dict[str, tuple[Plot, ...]] = {
    "tune": (
        Plot(
            file=f"{TUNED}/plots/history.json",
            title="{task}, {tuned}: score of each trial of the search, cross-validated",
            template="points",
            x="trial",
            y="score",
            y_label="mean {metric} over the folds, {better}",
        ),
        Plot(
            file=f"{TUNED}/plots/importances.json",
            title="{task}, {tuned}: importance of each argument in the search",
            template="bar_horizontal_sorted",
            x="importance",
            y="argument",
            x_label="share of the variance of {metric} among the better trials (PED-ANOVA)",
        ),
    ),
    "train": (_declare_loss("model", MODEL_CURVES, "train and on validation rows", "{steps}"),),
    "fine_tune": (
        _declare_loss(
            "encoder",
            ENCODER_CURVES,
            "the rows fitted on and on those watched",
            "training steps",
        ),
    ),
    "evaluate": EVALUATION,
}
