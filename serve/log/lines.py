"""From a request and its answer, both as the JSON that was sent, to lines of the prediction log.

What was sent is copied rather than parsed and written again: the thread that does so takes time
from the one that answers.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from serve.runtime.json_rows import encode_json, parse
from serve.runtime.model import Model

Json = dict[str, Any]


class Entry(NamedTuple):
    """One answered request: its rows and its answer are the JSON that was sent."""

    moment: float
    model: Model
    request_id: str
    body: bytes
    content: bytes


class _Answered(msgspec.Struct, gc=False):
    predictions: list[Raw]


_decode_answer = msgspec.json.Decoder(_Answered).decode
_decode_rows = msgspec.json.Decoder(list[Raw]).decode
_decode_row = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_json = msgspec.json.Decoder().decode


def format_lines(entry: Entry, hidden: frozenset[str]) -> list[bytes]:
    """Return a line for each row of a request, without the values of hidden columns."""
    head = _format_head(entry)
    answers: list[Any] = list(_decode_answer(entry.content).predictions)
    rows = _split_rows(entry.body)
    if len(rows) != len(answers):
        raise ValueError(f"{len(rows):,} rows have {len(answers):,} answers")
    if hidden:
        rows = [_hide_columns(row, hidden) for row in rows]
        answers = [_hide_warnings(answer, hidden) for answer in answers]
    return [
        b'%b%b,"output":%b}\n' % (head, row, answer)
        for row, answer in zip(rows, answers, strict=True)
    ]


def _format_head(entry: Entry) -> bytes:
    """Return a line's beginning; an id that a request may have needs no escaping."""
    moment = datetime.fromtimestamp(entry.moment, UTC).isoformat(timespec="microseconds")
    about = _describe_model(entry.model.manifest.task, entry.model.manifest.version)
    return b'{"time":"%b","request_id":"%b",%b,"inputs":' % (
        moment.encode(),
        entry.request_id.encode(),
        about,
    )


@cache
def _describe_model(task: str, version: str) -> bytes:
    return msgspec.json.encode({"task": task, "version": version})[1:-1]


def _split_rows(body: bytes) -> list[Any]:
    """Return each row as it was sent, but on one line: outside of texts a line's end is a blank."""
    try:
        sent: list[Any] = [body.strip()] if body[:1] == b"{" else _decode_rows(body)
    except msgspec.DecodeError:  # with a byte order mark, say
        content: Any = parse(body)
        sent = [encode_json(row) for row in (content if isinstance(content, list) else [content])]
    if b"\n" in body or b"\r" in body:
        return [bytes(row).replace(b"\n", b" ").replace(b"\r", b" ") for row in sent]
    return sent


def _hide_columns(row: bytes | Raw, hidden: frozenset[str]) -> bytes:
    kept = {name: value for name, value in _decode_row(row).items() if name not in hidden}
    return msgspec.json.encode(kept)


def _hide_warnings(answer: bytes | Raw, hidden: frozenset[str]) -> bytes:
    """Return an answer whose warnings of hidden columns say only where and what kind they are."""
    if b'"warnings":[]' in bytes(answer):
        return bytes(answer)
    content: Json = _decode_json(answer)
    content["warnings"] = [_hide_values(warning, hidden) for warning in content["warnings"]]
    return encode_json(content)


def _hide_values(finding: Json, hidden: frozenset[str]) -> Json:
    if finding["loc"][-1] not in hidden:
        return finding
    return {"loc": finding["loc"], "type": finding["type"]}
