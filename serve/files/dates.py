"""Dates and times of a table, read as pandas reads ISO 8601 where ``prepare`` casts them."""

import re
from datetime import UTC, datetime, timedelta, timezone

# A year, perhaps a month and a day with one mark between them, or eight digits; after a day perhaps
# hours, minutes and seconds, all with colons or all with none; after those perhaps a zone.
DATE = r"(\d{4})(?:(?P<mark>[-. ])(\d\d?)(?:(?P=mark)(\d\d?))?)?|(\d{4})(\d\d)(\d\d)"
TIME = (
    r"[T ](?:(\d\d?):(\d\d?)(?::(\d\d?)(?:\.(\d*))?)?|(\d\d)(\d\d)(?:(\d\d)(?:\.(\d*))?)?|(\d\d))"
)
ZONE = r" *(?:(Z)|([+-])(\d\d?)(?::(\d\d?)|(\d\d))?)"
WRITTEN = re.compile(rf"(?:{DATE})(?P<time>{TIME}(?P<zone>{ZONE})?)?", re.ASCII)


def to_utc(text: str) -> str | None:
    """Return a date or time as an ISO 8601 time in UTC, or None where it is none.

    Without a zone it is in UTC. Digits beyond microseconds are cut off.
    """
    found = WRITTEN.fullmatch(text)
    if found is None:
        return None
    groups = found.groups()
    year, month, day = (groups[0], *groups[2:4]) if groups[0] else groups[4:7]
    if found["time"] and not day:
        return None
    clock, zone = groups[8:17], groups[18:]
    hour, minute, second, fraction = _choose_clock(clock)
    try:
        moment = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "")[:6].ljust(6, "0")),
            _make_zone(zone),
        )
        return moment.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):  # no such day, hour or zone; or outside of Python's years
        return None


def _choose_clock(groups: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """Return hour, minute, second and fraction, whichever way they were written."""
    spaced, packed, alone = groups[:4], groups[4:8], groups[8]
    if alone:
        return alone, None, None, None
    return spaced if spaced[0] else packed


def _make_zone(groups: tuple[str | None, ...]) -> timezone:
    """Return the zone; raises ValueError for one that is a day or more from UTC."""
    _, sign, hours, spaced, packed = groups
    if not sign:
        return UTC
    minutes = int(spaced or packed or 0)
    if minutes > 59:
        raise ValueError(minutes)
    away = timedelta(hours=int(hours or 0), minutes=minutes)
    return timezone(-away if sign == "-" else away)
