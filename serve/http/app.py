"""The HTTP service over every model under ``models/``: ``uvicorn serve.http.app:app``.

What it may be told by the environment is in `serve.http.settings`.
"""

import asyncio
import ctypes
import gc
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from serve.http import logs
from serve.http.auth import Authenticator
from serve.http.catalog import Catalog
from serve.http.cors import EXPOSED
from serve.http.metrics.meters import Telemetry, find_shared_folder
from serve.http.middleware import FAILED, RequestMiddleware
from serve.http.protocol import LIMITS, Limits
from serve.http.reload import Reloader
from serve.http.routes import admin, explain, files, info, page, predict, v2
from serve.http.schemas import as_response
from serve.http.settings import Settings, SettingsError, read_settings
from serve.http.state import Shared
from serve.runtime.errors import RequestError
from serve.runtime.json_rows import encode_json

log = logging.getLogger("serve")
ROUTERS = (
    predict.router,
    files.router,
    explain.router,
    info.router,
    admin.router,
    v2.open_router,
    v2.router,
    page.router,
)


class Service(FastAPI):
    """The application, with a middleware around it and a short way to /predict through it."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(**options)
        self.shared = Shared(
            settings, Authenticator(settings), Telemetry(find_shared_folder(settings.metrics_dir))
        )
        self.reloader = Reloader(self.shared)
        self.predict = predict.Predict(self.shared)
        self._document: tuple[Catalog | None, bytes] = None, b""
        self.request_middleware = RequestMiddleware(
            add_cors(super().__call__, settings),
            self.predict,
            self.shared.telemetry,
            settings.log_requests,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.request_middleware(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        from serve.http.openapi.document import build_document

        return build_document(super().openapi(), self.shared.catalog, self.shared.settings)

    def write_document(self) -> bytes:
        """Return the OpenAPI document as JSON, made once for each set of models."""
        made_for, content = self._document
        if made_for is not self.shared.catalog:
            content = encode_json(self.openapi())
            self._document = self.shared.catalog, content
        return content


def add_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Let web pages of the named origins ask; without one, browsers refuse them all."""
    if not settings.cors_origins:
        return app
    headers = ["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"]
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=headers,
        expose_headers=EXPOSED,
    )


@asynccontextmanager
async def lifespan(service: "Service") -> AsyncIterator[dict[str, Limits]]:
    """Load the models before the first request is taken, and watch them while there are any."""
    shared, reloader = service.shared, service.reloader
    logs.configure(shared.settings)
    if not shared.authenticator.keys:
        log.warning("no API key is set: everybody who reaches this server may do everything")
    reloader.start()
    release_memory()
    watching = asyncio.create_task(reloader.watch())
    shared.open_prediction_log()
    settings = shared.settings
    yield {LIMITS: Limits(settings.header_seconds, settings.body_seconds)}
    watching.cancel()
    shared.queue.close()
    if shared.prediction_log:
        await run_in_threadpool(shared.prediction_log.close)
    shared.telemetry.memory.close()


def release_memory() -> None:
    """Give back what loading took, and let the garbage collector pass over what stays."""
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl has not
        if trim:
            trim(0)


async def refuse(_: Request, refusal: RequestError) -> Response:
    return as_response({"detail": refusal.detail}, refusal.status, refusal.headers)


async def fail(_: Request, _error: Exception) -> Response:
    """Answer where something went wrong inside, in JSON as everywhere; `middleware` logs it."""
    return Response(FAILED.content, FAILED.status, media_type="application/json")


def name_operation(route: APIRoute) -> str:
    """Name an operation in generated clients after its function."""
    return route.name


def create_app(settings: Settings | None = None) -> Service:
    """Return a service of its own; its models are loaded when it starts.

    Raises SettingsError if the environment holds a setting that cannot be used.
    """
    service = Service(
        settings or read_settings(),
        title="Predictions",
        openapi_url=None,  # `page` has a route for it, which may ask for a key
        docs_url=None,  # FastAPI's own pages load from another host
        redoc_url=None,
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,  # it would send clients to whatever host their request named
        generate_unique_id_function=name_operation,
    )
    for router in ROUTERS:
        service.include_router(router)
    service.exception_handler(RequestError)(refuse)
    service.exception_handler(Exception)(fail)
    return service


def _create_app_or_exit() -> Service:
    try:
        return create_app()
    except SettingsError as error:
        sys.exit(f"the server cannot start: {error}")


app = _create_app_or_exit()
