"""Puts what was found into plain data: ``evaluation.json``, ``metrics.json`` and the plots."""

from typing import Any

from stages.evaluating import plots
from stages.evaluating.importance import MOST_ROWS
from stages.evaluating.metrics import Terms
from stages.evaluating.model_selection import Contest
from stages.evaluating.selection import Candidate, Choice, difference
from stages.evaluating.settings import Exam
from stages.evaluating.slices import Scored, worst_first
from stages.evaluating.test_evaluation import Findings

Content = dict[str, Any]


def evaluation_content(exam: Exam, contest: Contest, findings: Findings) -> Content:
    """Return everything that is known, so that no later stage needs another file."""
    choice, decision = contest.choice, contest.decision
    return {
        "task": exam.task,
        "problem": exam.schema.problem,
        "metric": exam.metric.name,
        "higher_is_better": exam.metric.direction > 0,
        "champion": choice.champion.name,
        "explanation": choice.explained(exam.metric),
        "candidates": [
            {**candidate_content(exam, it, choice), "trained": contest.trained[it.name]}
            for it in contest.candidates
        ],
        "encoder_gains": encoder_gains(exam, contest),
        "labels": list(exam.schema.labels),
        **decision_content(exam, decision.terms),
        "decision": decision.explanation,
        "test": test_content(findings),
        **slices_content(exam, findings),
        "importances": importances_content(exam, findings),
        "learning_curve": {"points": findings.curve, "skipped": findings.why_no_curve},
    }


def candidate_content(exam: Exam, candidate: Candidate, choice: Choice) -> Content:
    """Return a candidate's place in the ranking."""
    gain = difference(candidate, choice.best, exam.metric, exam.settings.confidence)
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


def encoder_gains(exam: Exam, contest: Contest) -> list[Content]:
    """Return what each fine-tuned encoder gains over the best of the other models, in pairs."""
    tuned = [it for it in contest.candidates if "encoder" in contest.trained[it.name]]
    others = [it for it in contest.candidates if it not in tuned]
    if not others:
        return []
    rival = max(others, key=lambda it: exam.metric.direction * it.mean)
    return [
        {
            "model": it.name,
            "over": rival.name,
            "gain": difference(it, rival, exam.metric, exam.settings.confidence),
        }
        for it in tuned
    ]


def decision_content(exam: Exam, terms: Terms) -> Content:
    """Return the threshold (two classes) and the interval (values), None where there is none."""
    interval = {"coverage": exam.settings.coverage, "half_width": terms.half_width}
    return {
        "threshold": terms.threshold if exam.schema.is_binary else None,
        "interval": None if exam.is_classification else interval,
    }


def test_content(findings: Findings) -> Content:
    """Return the test's metrics, and for classes the confusion (truth by row)."""
    is_classification = findings.rows.prediction.ndim == 2
    counts = plots.confusion_counts(findings.rows) if is_classification else None
    return {
        "rows": len(findings.rows),
        "resamples": findings.bootstrap.samples,
        "confidence": findings.bootstrap.confidence,
        "metrics": scores_content(findings),
        "confusion": counts,
    }


def scores_content(findings: Findings) -> Content:
    """Return each metric's value, interval and baseline by name."""
    return {
        name: {"value": e.value, "low": e.low, "high": e.high, "baseline": findings.baseline[name]}
        for name, e in findings.estimates.items()
    }


def metrics_content(contest: Contest, findings: Findings) -> Content:
    """Return what `dvc metrics show` shows."""
    champion, rows = contest.choice.champion.name, len(findings.rows)
    return {"champion": champion, "n": rows, **scores_content(findings)}


def slices_content(exam: Exam, findings: Findings) -> Content:
    worst = worst_first(findings.slices, exam.metric)
    return {
        "worst_slice": slice_content(worst[0]) if worst else None,
        "slices": [slice_content(scored) for scored in findings.slices],
    }


def slice_content(scored: Scored) -> Content:
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


def importances_content(exam: Exam, findings: Findings) -> Content:
    return {
        "rows": min(len(findings.rows), MOST_ROWS),
        "permutations": exam.settings.permutations,
        "columns": sorted(findings.importances, key=lambda found: -found.mean),
    }


def plots_content(exam: Exam, contest: Contest, findings: Findings) -> dict[str, plots.Points]:
    """Return the points of each plot by its file's name."""
    overall = findings.estimates[exam.metric.name]
    everyone = Scored("all", "rows", len(findings.rows), overall, None)
    own = (
        plots.classification_plots(findings.rows, exam.schema.labels)
        if exam.is_classification
        else plots.regression_plots(findings.rows, exam.settings.seed)
    )
    return {
        "candidates": plots.candidates_plot(contest.candidates),
        **own,
        "slices": plots.slices_plot(everyone, findings.slices),
        "importances": plots.importances_plot(findings.importances),
        "learning_curve": plots.learning_curve_plot(findings.curve),
    }
