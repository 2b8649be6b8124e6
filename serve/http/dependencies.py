"""What a route may ask for, as typed parameters: the models, the settings, who is asking.

A new route is a module in ``serve/http/routes`` with a ``router`` of its own and a line in
``serve.http.app.ROUTERS``. It raises `RequestError` for every 4xx; counting, timing, request ids
and security headers come from `serve.http.middleware` by themselves. A route takes ``models`` once
and keeps it: a reload swaps in another `Catalog`, and never changes one.
"""

from typing import Annotated

from fastapi import Depends, Request, params
from fastapi.concurrency import run_in_threadpool as to_thread

from serve.http.catalog import Catalog
from serve.http.keys import Scope
from serve.http.metrics.meters import Telemetry
from serve.http.settings import Settings

__all__ = ["MAY_ADMINISTER", "MAY_PREDICT", "Config", "Meters", "Models", "RequestId", "to_thread"]


def current_catalog(request: Request) -> Catalog:
    catalog: Catalog = request.app.shared.catalog
    return catalog


def current_settings(request: Request) -> Settings:
    settings: Settings = request.app.shared.settings
    return settings


def current_telemetry(request: Request) -> Telemetry:
    telemetry: Telemetry = request.app.shared.telemetry
    return telemetry


def current_request_id(request: Request) -> str:
    """Return the id that the middleware accepted or made; the answer has it in X-Request-ID."""
    request_id: str = request.scope["state"]["request_id"]
    return request_id


def may(scope: Scope) -> params.Depends:
    """Return the dependency that lets in only a key with this scope (RequestError 401, 403, 429).

    Where the settings name no key at all, everybody may do everything.
    """

    async def admitted(request: Request) -> None:
        request.app.shared.authenticator.admit(request.scope, dict(request.scope["headers"]), scope)

    return params.Depends(admitted)


Models = Annotated[Catalog, Depends(current_catalog)]
Config = Annotated[Settings, Depends(current_settings)]
Meters = Annotated[Telemetry, Depends(current_telemetry)]
RequestId = Annotated[str, Depends(current_request_id)]
MAY_PREDICT = may("predict")
MAY_ADMINISTER = may("admin")
