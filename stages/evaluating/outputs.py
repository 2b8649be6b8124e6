"""Puts what was found into plain data: ``evaluation.json``, ``metrics.json`` and the plots."""

from typing import Any

from stages.evaluating import plots
from stages.evaluating.importance import MOST_ROWS
from stages.evaluating.metrics import DecisionRule
from stages.evaluating.model_selection import ModelSelection
from stages.evaluating.ranking import Candidate, Choice, compare_candidates
from stages.evaluating.settings import EvaluationContext
from stages.evaluating.slices import Scored, sort_worst_first
from stages.evaluating.test_evaluation import ChampionTest

Content = dict[str, Any]


def build_evaluation(
    context: EvaluationContext, selection: ModelSelection, tested: ChampionTest
) -> Content:
    """Return everything that is known, so that no later stage needs another file."""
    choice, decision = selection.choice, selection.decision
    return {
        "task": context.task,
        "problem": context.schema.problem,
        "metric": context.metric.name,
        "higher_is_better": context.metric.direction > 0,
        "champion": choice.champion.name,
        "explanation": choice.explain(context.metric),
        "candidates": [
            {
                **build_candidate(context, candidate, choice),
                "trained": selection.trained[candidate.name],
            }
            for candidate in selection.candidates
        ],
        "encoder_gains": build_encoder_gains(context, selection),
        "labels": list(context.schema.labels),
        **build_decision(context, decision.rule),
        "decision": decision.explanation,
        "test": build_test(tested),
        **build_slices(context, tested),
        "importances": build_importances(context, tested),
        "learning_curve": {"points": tested.curve, "skipped": tested.why_no_curve},
    }


def build_candidate(context: EvaluationContext, candidate: Candidate, choice: Choice) -> Content:
    """Return a candidate's place in the ranking."""
    gain = compare_candidates(candidate, choice.best, context.metric, context.settings.confidence)
    return {
        "model": candidate.name,
        "complexity": candidate.complexity,
        "mean": candidate.mean,
        "standard_error": candidate.standard_error,
        "better_than_best": None if candidate is choice.best else gain,
        "within_one_standard_error": candidate in choice.within,
        "chosen": candidate is choice.champion,
        "scores": candidate.scores,
    }


def build_encoder_gains(context: EvaluationContext, selection: ModelSelection) -> list[Content]:
    """Return what each fine-tuned encoder gains over the best of the other models, in pairs."""
    tuned = [
        candidate
        for candidate in selection.candidates
        if "encoder" in selection.trained[candidate.name]
    ]
    others = [candidate for candidate in selection.candidates if candidate not in tuned]
    if not others:
        return []
    rival = max(others, key=lambda candidate: context.metric.direction * candidate.mean)
    return [
        {
            "model": encoder.name,
            "over": rival.name,
            "gain": compare_candidates(encoder, rival, context.metric, context.settings.confidence),
        }
        for encoder in tuned
    ]


def build_decision(context: EvaluationContext, rule: DecisionRule) -> Content:
    """Return the threshold (two classes) and the interval (values), None where there is none."""
    interval = {"coverage": context.settings.coverage, "half_width": rule.half_width}
    return {
        "threshold": rule.threshold if context.schema.is_binary else None,
        "interval": None if context.is_classification else interval,
    }


def build_test(tested: ChampionTest) -> Content:
    """Return the test's metrics, and for classes the confusion (truth by row)."""
    is_classification = tested.rows.prediction.ndim == 2
    counts = plots.confusion_counts(tested.rows) if is_classification else None
    return {
        "rows": len(tested.rows),
        "units": tested.rows.units,
        "resamples": tested.bootstrap.samples,
        "confidence": tested.bootstrap.confidence,
        "metrics": build_scores(tested),
        "over_baseline": tested.gain,
        "confusion": counts,
    }


def build_scores(tested: ChampionTest) -> Content:
    """Return each metric's value, interval and baseline by name."""
    return {
        name: {"value": e.value, "low": e.low, "high": e.high, "baseline": tested.baseline[name]}
        for name, e in tested.estimates.items()
    }


def build_metrics(selection: ModelSelection, tested: ChampionTest) -> Content:
    """Return what `dvc metrics show` shows."""
    champion, rows = selection.choice.champion.name, len(tested.rows)
    gain = {"gain": tested.gain.mean, "low": tested.gain.low, "high": tested.gain.high}
    return {"champion": champion, "n": rows, **build_scores(tested), "over_baseline": gain}


def build_slices(context: EvaluationContext, tested: ChampionTest) -> Content:
    worst = sort_worst_first(tested.slices, context.metric)
    return {
        "worst_slice": build_slice(worst[0]) if worst else None,
        "slices": [build_slice(scored) for scored in tested.slices],
    }


def build_slice(scored: Scored) -> Content:
    found = scored.estimate
    return {
        "column": scored.column,
        "label": scored.label,
        "rows": scored.rows,
        "value": found.value if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "reason": scored.reason,
    }


def build_importances(context: EvaluationContext, tested: ChampionTest) -> Content:
    return {
        "rows": min(len(tested.rows), MOST_ROWS),
        "permutations": context.settings.permutations,
        "columns": sorted(tested.importances, key=lambda found: -found.mean),
    }


def build_plots(
    context: EvaluationContext, selection: ModelSelection, tested: ChampionTest
) -> dict[str, plots.Points]:
    """Return the points of each plot by its file's name; ``note`` says what they are of."""
    notes = describe_plots(context, selection, tested)
    return {
        name: plots.add_note(points, notes.get(name, notes["test"]))
        for name, points in build_points(context, selection, tested).items()
    }


def describe_plots(
    context: EvaluationContext, selection: ModelSelection, tested: ChampionTest
) -> dict[str, str]:
    """Return the number of rows behind each plot, and of repetitions, in words."""
    settings, rows = context.settings, len(tested.rows)
    repeats, folds = selection.candidates[0].scores.shape
    dots, shuffled = min(rows, plots.MOST_DOTS), min(rows, MOST_ROWS)
    cloud = f"{dots:,} of n = {rows:,} test rows" if dots < rows else f"n = {rows:,} test rows"
    confidence = f"{100 * settings.confidence:g} %"
    return {
        "test": f"n = {rows:,} test rows",
        "candidates": f"n = {selection.rows:,} rows, {repeats * folds} folds",
        "learning_curve": f"n = {selection.rows:,} rows",
        "importances": f"n = {shuffled:,} test rows, shuffled {settings.permutations}x",
        "slices": f"n = {rows:,} test rows, {confidence} intervals",
        "predicted": cloud,
        "residuals": cloud,
    }


def build_points(
    context: EvaluationContext, selection: ModelSelection, tested: ChampionTest
) -> dict[str, plots.Points]:
    """Return the points of each plot by its file's name."""
    overall = tested.estimates[context.metric.name]
    everyone = Scored("all", "rows", len(tested.rows), overall, None)
    own = (
        plots.classification_plots(tested.rows, context.schema.labels)
        if context.is_classification
        else plots.regression_plots(tested.rows, context.settings.seed)
    )
    return {
        "candidates": plots.candidates_plot(selection.candidates),
        **own,
        "slices": plots.slices_plot(everyone, tested.slices),
        "importances": plots.importances_plot(tested.importances),
        "learning_curve": plots.learning_curve_plot(tested.curve),
    }
