"""The head of a report: the verdict, what was compared, and each task in a line."""

from collections import Counter
from collections.abc import Sequence

from commands.review.compare import Compared
from commands.review.findings import Findings
from commands.review.markdown import (
    MARKS,
    change,
    code,
    counted,
    directed,
    interval,
    listed,
    loss_not_ruled_out,
    table,
)
from commands.review.regressions import Regression
from commands.review.side import Evaluation, Side
from stages.evaluating.formatting import format_number
from stages.shared.errors import PipelineError

STATES = {"same": "⚪ same predictions", "new": "🆕 new", "removed": "removed"}
NAMED = 5  # tasks that a headline names


def headline(findings: Findings, regressions: Sequence[Regression]) -> str:
    """Return the verdict in a line."""
    base = code(findings.base.name)
    if failed := _failing(regressions):
        return f"❌ {failed[0].capitalize()} {_preposition(failed[0])} {base}: {failed[1]}"
    if not findings.has_base:
        return f"⚠️ {base} was never run: there is nothing to compare with"
    if names := [task.task for task in findings.compared if task.state == "unknown"]:
        return f"⚠️ No regression found, but {listed(names, NAMED)} could not be compared"
    if names := _judged(findings, "worse"):
        return f"⚠️ Worse than {base}, within what `report` allows: {listed(names, NAMED)}"
    if names := _judged(findings, "inconclusive"):
        return f"⚠️ Inconclusive against {base}: {listed(names, NAMED)}"
    if all(task.state == "same" for task in findings.compared):
        return f"✅ Every prediction is the same as on {base}"
    return f"✅ No regression against {base}"


def _failing(regressions: Sequence[Regression]) -> tuple[str, str] | None:
    """Return the gravest verdict that fails the report, and the tasks that have it."""
    for verdict in ("worse", "inconclusive"):
        if names := [found.task for found in regressions if found.verdict == verdict]:
            return verdict, listed(list(dict.fromkeys(names)), NAMED)
    return None


def _preposition(verdict: str) -> str:
    return "than" if verdict == "worse" else "against"


def _judged(findings: Findings, verdict: str) -> list[str]:
    return [task.task for task in findings.compared if task.verdict == verdict]


def status(findings: Findings, regressions: Sequence[Regression], most: int) -> str:
    """Return the head; it lists three times as many tasks as other tables have rows."""
    base = code(findings.base.name)
    head = (
        "task",
        "result",
        "metric",
        f"{base}:",
        "here:",
        "difference, test rows:",
        "difference, out of fold:",
        "champion",
        "test rows:",
    )
    notes = [f"- {code(task.task)}: {task.why}" for task in findings.compared if task.why]
    parts = [
        f"# {headline(findings, regressions)}",
        "\n".join(_explain(found, findings.settings.tolerance) for found in regressions[:most]),
        _facts(findings),
        _warning(findings.outdated),
        table(head, map(_row, findings.compared), 3 * most),
        "\n".join(notes[:most]),
        _legend(findings),
    ]
    return "\n\n".join(part for part in parts if part)


def _explain(found: Regression, tolerance: float) -> str:
    """Return a line that says what fails the report."""
    text = f"- {code(found.task)}: {change(found.difference)}"
    if found.verdict == "worse":
        return text
    return f"{text}. {loss_not_ruled_out(found.difference, tolerance)}"


def _facts(findings: Findings) -> str:
    """Return in a line what was compared, and how much of the pipeline it concerns."""
    stages = findings.stages
    facts = [
        f"{code(findings.base.name)} at {findings.base.short} → {findings.head.short}",
        _counts(findings.compared),
        f"{len(stages.ran)} of {counted(stages.total, 'stage')} ran",
        counted(len(findings.params), "parameter") + " changed",
        counted(len(findings.data), "table") + " changed",
    ]
    return " · ".join(fact for fact in facts if fact)


def _counts(compared: Sequence[Compared]) -> str:
    names = {"same": "with the same predictions", "unknown": "not compared"}
    words = Counter(task.verdict or names.get(task.state, task.state) for task in compared)
    counts = [f"{count:,} {word}" for word, count in words.items()]
    return f"{counted(len(compared), 'task')}: {', '.join(counts)}" if counts else ""


def _warning(outdated: Sequence[str]) -> str:
    if not outdated:
        return ""
    return (
        f"> [!WARNING]\n> `dvc.lock` is older than the files here: "
        f"{counted(len(outdated), 'stage')} would run ({listed(outdated, 3)}). What follows is "
        "about the last run: `make repro` first."
    )


def _row(task: Compared) -> tuple[str, ...]:
    own, name = task.own, code(task.task)
    if own is None or not task.here:
        word = STATES.get(task.state, "⚠️ not compared")
        return name, word, *_values(task.base, task.here), "", "", _champions(task), ""
    out_of_fold = interval(task.out_of_fold) if task.out_of_fold else format_number(None)
    values = format_number(own.base), format_number(own.here), interval(own), out_of_fold
    rows = f"{own.rows:,} of {len(task.here.test):,}"
    return name, MARKS[task.verdict], directed(own), *values, _champions(task), rows


def _values(*sides: Side | None) -> tuple[str, str, str]:
    """Return the metric's name and its value on each side, as far as they are known."""
    found = [_evaluation(side) for side in sides]
    name = next((evaluation.metric for evaluation in reversed(found) if evaluation), "")
    base, here = (format_number(evaluation.value if evaluation else None) for evaluation in found)
    return name, base, here


def _champions(task: Compared) -> str:
    found = [_evaluation(side) for side in (task.base, task.here) if side]
    return " → ".join(dict.fromkeys(code(one.champion) if one else "?" for one in found))


def _evaluation(side: Side | None) -> Evaluation | None:
    try:
        return side.evaluation if side else None
    except PipelineError:
        return None


def _legend(findings: Findings) -> str:
    """Say what the words mean, and how sure they are."""
    if not any(task.state == "compared" for task in findings.compared):
        return ""
    settings = findings.settings
    share = 100 * settings.confidence
    return (
        "<sub>Base and here are the champions' scores on the test rows that both sides hold (found "
        "by their content); out of fold are the rows they were trained on, each predicted by "
        "models that never saw it. A difference is here minus base, with the interval of a paired "
        "bootstrap over the rows. *Not worse*: a loss of more than "
        f"{100 * settings.tolerance:g} % is ruled out. *Inconclusive*: it is not, because too few "
        f"rows tell. All intervals of this report hold together at {share:g} %: equal models are "
        f"called better or worse in at most {100 - share:g} % of reports.</sub>"
    )
