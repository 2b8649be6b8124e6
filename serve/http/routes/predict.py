"""POST /predict and /predict/{task}: the way that has to be fast, as an ASGI endpoint of its own.

FastAPI documents these routes, but its own work on a request would take longer than ours: `Service`
in `serve.http.app` goes past it.
"""

import time
from collections.abc import Awaitable
from typing import Any

import msgspec
from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from serve.http.body import Headers, check_headers, read_body
from serve.http.cors import CorsHeaders
from serve.http.middleware import JSON, Reply
from serve.http.openapi.bodies import request_body
from serve.http.queue import Queue
from serve.http.schemas import ERRORS, Prediction
from serve.http.state import Shared
from serve.runtime.answers import Outcome
from serve.runtime.errors import RequestError
from serve.runtime.json_rows import parse_rows
from serve.runtime.model import Model

LARGE_BODY = 16 << 10  # bytes: some 80 rows, a millisecond


class Result(msgspec.Struct, gc=False):
    """The answer's JSON, and what is to be counted of it."""

    content: bytes
    outcomes: list[Outcome]
    seconds: float  # in the model


class Predict:
    """Answers requests for predictions."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._cors = CorsHeaders(shared.settings.cors_origins)

    def __call__(self, scope: Scope, headers: Headers, receive: Receive) -> Awaitable[Reply] | None:
        """Return the answer to come, or None if the request is for another route."""
        parts = scope["path"].split("/")
        is_ours = parts[1:2] == ["predict"] and len(parts) < 4 and parts[-1]
        if not is_ours or scope["method"] != "POST":
            return None
        task = parts[2] if len(parts) == 3 else None
        scope["state"]["route"] = "/predict/{task}" if task else "/predict"
        return self._reply_to_page(scope, headers, receive, task)

    async def _reply_to_page(
        self, scope: Scope, headers: Headers, receive: Receive, task: str | None
    ) -> Reply:
        """Answer one request with what lets a page of a named origin read it."""
        reply = await self.reply(scope, headers, receive, task)
        if cors := self._cors.choose(headers):
            reply.headers = [*reply.headers, *cors]
        return reply

    async def reply(
        self, scope: Scope, headers: Headers, receive: Receive, task: str | None
    ) -> Reply:
        """Answer one request, with its predictions or with the reason why there are none."""
        shared, catalog = self.shared, self.shared.catalog
        settings = shared.settings
        try:
            shared.authenticator.admit(scope, headers, "predict")
            model = catalog.find(task) if task else catalog.find_default()
            check_headers(headers)
            body = await read_body(receive, headers, settings.max_body_bytes)
            work = model, body, scope["state"]["request_id"], settings.max_rows
            if model.engine.is_slow:
                result = await answer_in_turns(shared.queue, *work)
            elif len(body) > LARGE_BODY:  # in a thread, so that others need not wait for it
                result = await run_in_threadpool(answer, *work)
            else:
                result = answer(*work)
        except RequestError as refusal:
            return Reply.refusing(refusal)
        shared.telemetry.count_predictions(model.manifest, result.outcomes, result.seconds)
        if shared.prediction_log:
            shared.prediction_log.put(model, work[2], body, result.content)
        return Reply(200, result.content)


async def answer_in_turns(
    queue: Queue, model: Model, body: bytes, request_id: str, most: int
) -> Result:
    """Return the answers to the rows of a body, between others'; raises RequestError like `answer`.

    Raises RequestError (503) as well, where too many wait already.
    """
    ran = await queue.run_rows(model, lambda: model.check(parse_rows(body, most)))
    return Result(model.answers.to_json(ran.outcomes, request_id), ran.outcomes, ran.seconds)


def answer(model: Model, body: bytes, request_id: str, most: int) -> Result:
    """Return the answers to the rows of a body; raises RequestError (400, 413, 422)."""
    vectors = model.fast_decoder.decode(body, most) if model.fast_decoder else None
    start = time.perf_counter()
    outcomes = model.run_vectors(vectors) if vectors else None
    if outcomes is None:
        rows = model.check(parse_rows(body, most))
        start = time.perf_counter()
        outcomes = model.run(rows)
    seconds = time.perf_counter() - start
    return Result(model.answers.to_json(outcomes, request_id), outcomes, seconds)


router = APIRouter()
DOCUMENTED: dict[str, Any] = {
    "response_model": Prediction,
    "responses": ERRORS,
    "openapi_extra": {"requestBody": request_body()},
}


class Passed(Response):
    """The answer that the endpoint gives when FastAPI has routed a request all the same.

    It does where the service is mounted below another path.
    """

    def __init__(self, task: str | None) -> None:
        super().__init__()
        self.task = task

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        reply = await scope["app"].predict.reply(scope, headers, receive, self.task)
        sent = [JSON, (b"content-length", b"%d" % len(reply.content)), *reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": sent})
        await send({"type": "http.response.body", "body": reply.content})


@router.post("/predict", summary="Predict: the default task", **DOCUMENTED)
async def predict_default() -> Response:
    """Predict one row or a list of rows with the default task's model."""
    return Passed(None)


@router.post("/predict/{task}", **DOCUMENTED)
async def predict(task: str) -> Response:
    """Predict one row or a list of rows."""
    return Passed(task)
