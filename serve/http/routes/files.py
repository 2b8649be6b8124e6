"""POST /predict/{task}/csv and /parquet: a file in, a file with a prediction for each row out.

A file may be larger than memory: what comes in and what goes out lies on disk, with a block of rows
between them. The answer begins when all of it is there, so that its status and its counts are true,
and no client has to read while it still writes.
"""

import errno
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Annotated, BinaryIO, cast

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from serve.files.formats import Format, Source, open_sink, open_source
from serve.files.sinks import Layout, Sink, encode_rows
from serve.files.table import Predictor, Result, Row, Summary
from serve.http.body import check_media_type, too_large
from serve.http.dependencies import MAY_PREDICT, Models, to_thread
from serve.http.openapi.bodies import file_body, file_responses
from serve.http.state import Shared
from serve.runtime.errors import RequestError
from serve.runtime.model import Model

BLOCK = 500  # rows that a thread answers before others have their turn: some 10 ms
SLOW_BLOCK = 4  # rows of a transformer, which take as long
IN_MEMORY = 1 << 20  # bytes of a file, before it goes to disk
PIECE = 256 << 10  # bytes that are read or written at once
TAKEN: dict[Format, tuple[str, ...]] = {
    "csv": ("text/csv", "application/csv"),
    "parquet": ("application/vnd.apache.parquet", "application/x-parquet"),
}
SENT: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "parquet": TAKEN["parquet"][0]}
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
Id = Annotated[
    str | None,
    Query(alias="id", description="a column that is handed on, to tell the rows apart"),
]

router = APIRouter(dependencies=[MAY_PREDICT])


@router.post(
    "/predict/{task}/csv",
    responses=file_responses(("csv",)),
    openapi_extra={"requestBody": file_body("csv")},
    response_class=Response,
)
async def predict_csv(
    task: str, request: Request, models: Models, id_column: Id = None
) -> Response:
    """Predict every row of a CSV file.

    The file is UTF-8 with a header; cells are read as those of the training table were. A row that
    does not fit has the reasons in its column `error`, and costs the others nothing.
    """
    return await answer(models.find(task), request, id_column, "csv", "csv")


@router.post(
    "/predict/{task}/parquet",
    responses=file_responses(("parquet", "csv")),
    openapi_extra={"requestBody": file_body("parquet")},
    response_class=Response,
)
async def predict_parquet(
    task: str, request: Request, models: Models, id_column: Id = None
) -> Response:
    """Predict every row of a Parquet file; `Accept: text/csv` asks for the answers as CSV.

    A row that does not fit has the reasons in its column `error`, and costs the others nothing.
    """
    accepted = request.headers.get("accept", "")
    sent: Format = "csv" if "text/csv" in accepted and "parquet" not in accepted else "parquet"
    return await answer(models.find(task), request, id_column, "parquet", sent)


async def answer(
    model: Model, request: Request, id_column: str | None, taken: Format, sent: Format
) -> Response:
    """Answer a file; raises RequestError (400, 413, 415, 422, 503) where none of it can be."""
    headers = dict(request.scope["headers"])
    check_media_type(headers, TAKEN[taken], "the file itself as the body, with ")
    incoming, outgoing = _open_spool(), _open_spool()
    try:
        await _receive(request, incoming)
        with incoming:
            summary = await _predict(model, request, id_column, (taken, incoming), (sent, outgoing))
        length = outgoing.seek(0, 2)
        outgoing.seek(0)
    except BaseException:
        outgoing.close()
        raise
    about = {
        "Content-Length": str(length),
        "X-Rows": str(summary.rows),
        "X-Bad-Rows": str(summary.bad),
        "X-Warned-Rows": str(summary.warned),
        "X-Model-Version": model.manifest.version,
    }
    return StreamingResponse(_read_pieces(outgoing), 200, about, SENT[sent])


def _open_spool() -> BinaryIO:
    return cast(BinaryIO, tempfile.SpooledTemporaryFile(IN_MEMORY))


async def _receive(request: Request, file: BinaryIO) -> None:
    """Write the body into a file; raises RequestError (400, 413, 503)."""
    most = request.app.shared.settings.max_file_bytes
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > most:
        raise too_large(most)
    size, more, waiting = 0, True, bytearray()
    while more:
        message = await request.receive()
        if message["type"] != "http.request":
            raise RequestError(400, "the connection was closed before the file's end")
        waiting += message.get("body", b"")
        more = message.get("more_body", False)
        if size + len(waiting) > most:
            raise too_large(most)
        if len(waiting) >= PIECE or not more:
            size += len(waiting)
            with _tell_if_full():
                await to_thread(file.write, bytes(waiting))
            waiting.clear()
    file.seek(0)


async def _predict(
    model: Model,
    request: Request,
    id_column: str | None,
    incoming: tuple[Format, BinaryIO],
    outgoing: tuple[Format, BinaryIO],
) -> Summary:
    """Answer the incoming file's rows, block by block in a thread; raises RequestError."""
    shared: Shared = request.app.shared
    most, spelling = shared.settings.max_file_rows, model.manifest.spelling
    predictor, summary = Predictor(model, id_column, incoming[0] == "parquet"), Summary()
    unpacked = shared.settings.max_unpacked_bytes
    source: Source = await to_thread(open_source, *incoming, spelling, most, unpacked)
    predictor.check(source.names)
    layout = Layout(model, source.kind, id_column)
    is_integer = id_column in source.integers
    sink: Sink = await to_thread(open_sink, *outgoing, layout, is_integer)
    rows = source.rows(predictor.wanted)
    is_slow = model.engine.is_slow
    run = shared.queue.run_piece if is_slow else to_thread
    block = SLOW_BLOCK if is_slow else BLOCK
    with _tell_if_full(), shared.queue.hold_place() if is_slow else nullcontext():
        try:
            while results := await run(_answer_block, rows, predictor, sink, block):
                summary.add(results)
                if summary.rows > most:
                    raise RequestError(413, f"a file may have at most {most:,} rows")
                await _note(shared, request, predictor, results)
        finally:
            await to_thread(sink.close)
            source.close()
    for check, count in summary.checks.items():
        shared.telemetry.cell("serve_bad_rows", model.manifest.task, check).add(count)
    return summary


def _answer_block(rows: Iterator[Row], predictor: Predictor, sink: Sink, most: int) -> list[Result]:
    results = predictor.predict(islice(rows, most))
    sink.write(results)
    return results


async def _note(
    shared: Shared, request: Request, predictor: Predictor, results: list[Result]
) -> None:
    """Count a block, and log it; raises RequestError if nobody waits for the rest."""
    outcomes = [result.outcome for result in results if result.outcome]
    rows = b""
    if shared.prediction_log and outcomes:
        rows = await to_thread(encode_rows, predictor, results)
    request_id, seconds = request.scope["state"]["request_id"], predictor.take_seconds()
    if outcomes:
        shared.record(predictor.model, request_id, rows, outcomes, seconds)
    if await request.is_disconnected():
        raise RequestError(400, "the connection was closed before the answer")


@contextmanager
def _tell_if_full() -> Iterator[None]:
    """Turn a full disk into an answer."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise RequestError(503, "the server has no room for the file: try again later") from error


async def _read_pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while piece := await to_thread(file.read, PIECE):
            yield piece
    finally:
        file.close()
