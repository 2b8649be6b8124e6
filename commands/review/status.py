"""The head of a report: the verdict, what was compared, and each task in a line."""

from collections import Counter
from collections.abc import Sequence

from commands.review.compare import Compared
from commands.review.findings import Findings
from commands.review.markdown import (
    MARKS,
    describe_change,
    describe_possible_loss,
    format_code,
    format_count,
    format_interval,
    format_metric,
    format_names,
    format_table,
)
from commands.review.regressions import Regression
from commands.review.side import Evaluation, Side
from commands.review.store import MissingError
from stages.evaluating.formatting import format_number
from stages.shared.errors import PipelineError

STATES = {"same": "⚪ same predictions", "new": "🆕 new", "removed": "removed"}
NAMED = 5  # tasks that a headline names


def write_headline(findings: Findings, regressions: Sequence[Regression]) -> str:
    """Return the verdict in a line."""
    base = format_code(findings.base.name)
    if failed := _find_failing(regressions):
        return f"❌ {failed[0].capitalize()} {_choose_preposition(failed[0])} {base}: {failed[1]}"
    if not findings.has_base:
        return f"⚠️ {base} was never run: there is nothing to compare with"
    if names := [task.task for task in findings.compared if task.state == "unknown"]:
        return f"⚠️ No regression found, but {format_names(names, NAMED)} could not be compared"
    if names := _list_judged(findings, "worse"):
        return f"⚠️ Worse than {base}, within what `report` allows: {format_names(names, NAMED)}"
    if names := _list_judged(findings, "inconclusive"):
        return f"⚠️ Inconclusive against {base}: {format_names(names, NAMED)}"
    if all(task.state == "same" for task in findings.compared):
        return f"✅ Every prediction is the same as on {base}"
    return f"✅ No regression against {base}"


def _find_failing(regressions: Sequence[Regression]) -> tuple[str, str] | None:
    """Return the gravest verdict that fails the report, and the tasks that have it."""
    for verdict in ("worse", "inconclusive"):
        if names := [found.task for found in regressions if found.verdict == verdict]:
            return verdict, format_names(list(dict.fromkeys(names)), NAMED)
    return None


def _choose_preposition(verdict: str) -> str:
    return "than" if verdict == "worse" else "against"


def _list_judged(findings: Findings, verdict: str) -> list[str]:
    return [task.task for task in findings.compared if task.verdict == verdict]


def write_status(findings: Findings, regressions: Sequence[Regression], most: int) -> str:
    """Return the head; it lists three times as many tasks as other tables have rows."""
    base = format_code(findings.base.name)
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
    notes = [f"- {format_code(task.task)}: {task.why}" for task in findings.compared if task.why]
    notes += list_doubts(findings.compared)
    parts = [
        f"# {write_headline(findings, regressions)}",
        "\n".join(
            _explain_regression(found, findings.settings.tolerance) for found in regressions[:most]
        ),
        _list_facts(findings),
        _write_warning(findings.outdated),
        format_table(head, map(_make_row, findings.compared), 3 * most),
        "\n".join(notes[:most]),
        _write_legend(findings),
    ]
    return "\n\n".join(part for part in parts if part)


def list_doubts(compared: Sequence[Compared]) -> list[str]:
    """Return a line for each champion that is no better than its baseline."""
    sides = {task.task: task.here for task in compared if task.here}
    doubts = {name: _read_doubt(here) for name, here in sides.items()}
    return [f"- ⚠️ {format_code(name)}: {doubt}" for name, doubt in doubts.items() if doubt]


def _read_doubt(here: Side) -> str:
    """Return the doubt, none where the evaluation is in no cache: the report says so elsewhere."""
    try:
        return here.evaluation.doubt
    except MissingError:
        return ""


def _explain_regression(found: Regression, tolerance: float) -> str:
    """Return a line that says what fails the report."""
    text = f"- {format_code(found.task)}: {describe_change(found.difference)}"
    if found.verdict == "worse":
        return text
    return f"{text}. {describe_possible_loss(found.difference, tolerance)}"


def _list_facts(findings: Findings) -> str:
    """Return in a line what was compared, and how much of the pipeline it concerns."""
    stages = findings.stages
    facts = [
        f"{format_code(findings.base.name)} at {findings.base.short} → {findings.head.short}",
        _count_tasks(findings.compared),
        f"{len(stages.ran)} of {format_count(stages.total, 'stage')} ran",
        format_count(len(findings.params), "parameter") + " changed",
        format_count(len(findings.data), "table") + " changed",
    ]
    return " · ".join(fact for fact in facts if fact)


def _count_tasks(compared: Sequence[Compared]) -> str:
    names = {"same": "with the same predictions", "unknown": "not compared"}
    words = Counter(task.verdict or names.get(task.state, task.state) for task in compared)
    counts = [f"{count:,} {word}" for word, count in words.items()]
    return f"{format_count(len(compared), 'task')}: {', '.join(counts)}" if counts else ""


def _write_warning(outdated: Sequence[str]) -> str:
    if not outdated:
        return ""
    return (
        f"> [!WARNING]\n> `dvc.lock` is older than the files here: "
        f"{format_count(len(outdated), 'stage')} would run ({format_names(outdated, 3)}). "
        "What follows is about the last run: `make repro` first."
    )


def _make_row(task: Compared) -> tuple[str, ...]:
    own, name = task.own, format_code(task.task)
    if own is None or not task.here:
        word = STATES.get(task.state, "⚠️ not compared")
        return name, word, *_read_values(task.base, task.here), "", "", _name_champions(task), ""
    out_of_fold = format_interval(task.out_of_fold) if task.out_of_fold else format_number(None)
    values = format_number(own.base), format_number(own.here), format_interval(own), out_of_fold
    rows = f"{own.rows:,} of {len(task.here.test):,}"
    return name, MARKS[task.verdict], format_metric(own), *values, _name_champions(task), rows


def _read_values(*sides: Side | None) -> tuple[str, str, str]:
    """Return the metric's name and its value on each side, as far as they are known."""
    found = [_read_evaluation(side) for side in sides]
    name = next((evaluation.metric for evaluation in reversed(found) if evaluation), "")
    base, here = (format_number(evaluation.value if evaluation else None) for evaluation in found)
    return name, base, here


def _name_champions(task: Compared) -> str:
    found = [_read_evaluation(side) for side in (task.base, task.here) if side]
    return " → ".join(dict.fromkeys(format_code(one.champion) if one else "?" for one in found))


def _read_evaluation(side: Side | None) -> Evaluation | None:
    try:
        return side.evaluation if side else None
    except PipelineError:
        return None


def _write_legend(findings: Findings) -> str:
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
