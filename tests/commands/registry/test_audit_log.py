"""The audit log: what was written is found again, and what was changed is found out."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from commands.registry import audit_log as audit_log_module
from commands.registry.audit_log import AuditLog, hash_content
from commands.registry.history import find_transition_at
from commands.registry.transitions import standing_promotions
from stages.shared.errors import PipelineError

Lines = list[dict[str, Any]]


def append(log: AuditLog, kind: str, version: str, why: str = "it is better") -> None:
    log.append(
        kind=kind,
        before=None,
        version=version,
        model="m" * 12,
        content="c" * 64,
        commit="d" * 40,
        by="ada",
        why=why,
        verdict=None,
    )


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    """A log of three champions."""
    log = AuditLog("heart", tmp_path)
    for version in ("1", "2", "5"):
        append(log, "promote", version)
    return log


def rewrite(log: AuditLog, change: Callable[[Lines], object]) -> None:
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    change(lines)
    log.path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def rehashed(line: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Change a line and its hash: only the chain can tell."""
    content = {key: value for key, value in {**line, **changes}.items() if key != "hash"}
    return {**content, "hash": hash_content(content)}


def test_transitions_are_read_as_they_were_written(log: AuditLog) -> None:
    chain = log.transitions()
    assert [(entry.number, entry.version) for entry in chain] == [(1, "1"), (2, "2"), (3, "5")]
    assert [entry.previous for entry in chain[1:]] == [entry.hash for entry in chain[:-1]]


def test_a_log_only_ever_grows(log: AuditLog) -> None:
    before = log.path.read_bytes()
    append(log, "promote", "6")
    assert log.path.read_bytes().startswith(before)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: lines[1].update(why="no reason"), 2),
        (lambda lines: lines[1].update(by="eve"), 2),
        (lambda lines: lines.__setitem__(0, rehashed(lines[0], version="9")), 2),
        (lambda lines: lines.pop(0), 1),
        (lambda lines: lines.pop(1), 2),
        (lambda lines: lines.reverse(), 1),
        (lambda lines: lines.append(dict(lines[-1])), 4),
        (lambda lines: lines[2].pop("by"), 3),
        (lambda lines: lines.__setitem__(2, rehashed(lines[2], task="housing")), 3),
    ],
)
def test_a_changed_log_is_found_out(
    log: AuditLog, change: Callable[[Lines], object], line: int
) -> None:
    rewrite(log, change)
    with pytest.raises(PipelineError, match=f"heart.jsonl line {line} "):
        log.transitions()


def test_a_log_that_was_cut_off_within_a_line_is_found_out(log: AuditLog) -> None:
    log.path.write_bytes(log.path.read_bytes()[:-20])
    with pytest.raises(PipelineError, match="line 3 is no transition"):
        log.transitions()


def test_nothing_is_added_to_a_changed_log(log: AuditLog) -> None:
    rewrite(log, lambda lines: lines[0].update(why="no reason"))
    before = log.path.read_bytes()
    with pytest.raises(PipelineError, match="line 1 has the hash"):
        append(log, "promote", "6")
    assert log.path.read_bytes() == before


def test_who_was_champion_at_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog("heart", tmp_path)
    for day, version in ((10, "1"), (12, "2")):

        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None, day: int = day) -> "Clock":
                return cls(2026, 11, day, 12, tzinfo=tz)

        monkeypatch.setattr(audit_log_module, "datetime", Clock)
        append(log, "promote", version)
    moments = {
        "2026-11-10T11:59": None,
        "2026-11-10T12:00": "1",
        "2026-11-12T13:59+02:00": "1",
        "2026-11-12T14:00+02:00": "2",
    }
    for moment, version in moments.items():
        found = find_transition_at(log, moment)
        assert (found and found.version) == version
    with pytest.raises(PipelineError, match="'yesterday' is no date"):
        find_transition_at(log, "yesterday")


def test_a_clock_that_was_set_back_does_not_change_the_order(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls(2000, 1, 1, tzinfo=tz)

    last = log.transitions()[-1].time
    monkeypatch.setattr(audit_log_module, "datetime", Clock)
    append(log, "promote", "6")
    assert log.transitions()[-1].time == last


@pytest.mark.parametrize(
    ("transitions", "standing"),
    [
        ([("promote", "1"), ("promote", "2")], ["1", "2"]),
        ([("promote", "1"), ("promote", "2"), ("rollback", "1")], ["1"]),
        ([("promote", "1"), ("promote", "2"), ("rollback", "1"), ("promote", "3")], ["1", "3"]),
        ([("promote", "1"), ("promote", "2"), ("rollback", "1"), ("promote", "2")], ["1", "2"]),
    ],
)
def test_a_rollback_takes_a_champion_back(
    tmp_path: Path, transitions: list[tuple[str, str]], standing: list[str]
) -> None:
    log = AuditLog("heart", tmp_path)
    for kind, version in transitions:
        append(log, kind, version)
    assert [entry.version for entry in standing_promotions(log.transitions())] == standing
