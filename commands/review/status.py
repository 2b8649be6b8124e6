"""The head of a report: the verdict, what was compared, and each task in a line."""

from collections import Counter
from collections.abc import Sequence

from commands.review.compare import Compared
from commands.review.findings import Findings
from commands.review.markdown import MARKS, change, code, counted, directed, interval, listed, table
from commands.review.side import Evaluation, Side
from commands.shared.paired import Difference
from stages.evaluating.formatting import format_number
from stages.shared.errors import PipelineError

Failure = tuple[str, Difference]  # a task, and what got worse in it
STATES = {"same": "⚪ same predictions", "new": "🆕 new", "removed": "removed"}


def headline(findings: Findings, failed: Sequence[Failure]) -> str:
    """Return the verdict in a line."""
    base = code(findings.base.name)
    names = [it.task for it in findings.compared if it.state == "unknown"]
    if failed:
        return f"❌ Worse than {base}: {listed(list(dict.fromkeys(task for task, _ in failed)), 5)}"
    if not findings.has_base:
        return f"⚠️ {base} was never run: there is nothing to compare with"
    if names:
        return f"⚠️ No regression found, but {listed(names, 5)} could not be compared"
    if all(it.state == "same" for it in findings.compared):
        return f"✅ Every prediction is the same as on {base}"
    return f"✅ No regression against {base}"


def status(findings: Findings, failed: Sequence[Failure], most: int) -> str:
    """Return the head; it lists three times as many tasks as other tables have rows."""
    base = code(findings.base.name)
    head = (
        "task",
        "result",
        "metric",
        f"{base}:",
        "here:",
        "difference:",
        "champion",
        "test rows:",
    )
    notes = [f"- {code(it.task)}: {it.why}" for it in findings.compared if it.why]
    parts = [
        f"# {headline(findings, failed)}",
        "\n".join(f"- {code(task)}: {change(it)}" for task, it in failed[:most]),
        _facts(findings),
        _warning(findings.outdated),
        table(head, map(_row, findings.compared), 3 * most),
        "\n".join(notes[:most]),
        _legend(findings),
    ]
    return "\n\n".join(part for part in parts if part)


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
    words = Counter(it.own.verdict if it.own else names.get(it.state, it.state) for it in compared)
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


def _row(it: Compared) -> tuple[str, ...]:
    own, task = it.own, code(it.task)
    if own is None or not it.here:
        word = STATES.get(it.state, "⚠️ not compared")
        return task, word, *_alone(it.base, it.here), "", _champions(it), ""
    values = format_number(own.base), format_number(own.here), interval(own)
    rows = f"{own.rows:,} of {len(it.here.test):,}"
    return task, MARKS[own.verdict], directed(own), *values, _champions(it), rows


def _alone(*sides: Side | None) -> tuple[str, str, str]:
    """Return the metric's name and its value on each side, as far as they are known."""
    found = [_evaluation(side) for side in sides]
    name = next((it.metric for it in reversed(found) if it), "")
    base, here = (format_number(it.value if it else None) for it in found)
    return name, base, here


def _champions(it: Compared) -> str:
    found = [_evaluation(side) for side in (it.base, it.here) if side]
    return " → ".join(dict.fromkeys(code(one.champion) if one else "?" for one in found))


def _evaluation(side: Side | None) -> Evaluation | None:
    try:
        return side.evaluation if side else None
    except PipelineError:
        return None


def _legend(findings: Findings) -> str:
    """Say what the words mean, and how sure they are."""
    if not any(it.state == "compared" for it in findings.compared):
        return ""
    share = 100 * findings.settings.confidence
    return (
        "<sub>A difference is here minus base, between both champions on the test rows that both "
        "sides hold (found by their content). Its interval comes from a paired bootstrap; all "
        f"intervals of this report hold together at {share:g} %, so that equal models are called "
        f"better or worse in at most {100 - share:g} % of reports.</sub>"
    )
