"""The HTTP service over every model under ``models/``: ``uvicorn serve.app:app``, or `make serve`.

MODELS_DIR names another folder than ``models``; SERVE_DEFAULT_TASK the task of plain /predict.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from serve.body import read_body, rows_of
from serve.catalog import Catalog, load_catalog
from serve.manifest import Card
from serve.model import Model
from serve.openapi import request_body, with_tasks
from serve.wire import Findings, Health, Inventory, Prediction, Problem, RequestError, as_response

log = logging.getLogger("uvicorn.error")
LARGE_BODY = 16 << 10  # bytes: some 80 rows, a millisecond


class Service(FastAPI):
    """The application, with an OpenAPI document that knows the loaded tasks."""

    def openapi(self) -> dict[str, Any]:
        return with_tasks(super().openapi(), self.state.catalog)


@asynccontextmanager
async def lifespan(service: FastAPI) -> AsyncIterator[None]:
    """Load the models before the first request is taken."""
    folder = Path(os.environ.get("MODELS_DIR") or "models")
    catalog = load_catalog(folder, os.environ.get("SERVE_DEFAULT_TASK") or None)
    if catalog.problem:
        log.error("%s (looked in %s)", catalog.problem, folder.absolute())
    service.state.catalog = catalog
    yield


async def refuse(_: Request, refusal: RequestError) -> Response:
    return as_response({"detail": refusal.detail}, refusal.status)


router = APIRouter()


def current_catalog(request: Request) -> Catalog:
    catalog: Catalog = request.app.state.catalog
    return catalog


Models = Annotated[Catalog, Depends(current_catalog)]
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "the body is not JSON in UTF-8"},
    404: {"model": Problem, "description": "no such task, or none that is the default"},
    413: {"model": Problem, "description": "too many rows or bytes"},
    415: {"model": Problem, "description": "the Content-Type is not application/json"},
    422: {"model": Findings, "description": "all values that do not fit the task's columns"},
    503: {"model": Problem, "description": "the model could not be loaded"},
}
PREDICT: dict[str, Any] = {
    "response_model": Prediction,
    "responses": ERRORS,
    "openapi_extra": {"requestBody": request_body()},
}


@router.post("/predict", summary="Predict: the default task", **PREDICT)
async def predict_default(request: Request, models: Models) -> Response:
    """Predict one row or a list of rows with the default task's model."""
    return await answer(models.find_default(), request)


@router.post("/predict/{task}", **PREDICT)
async def predict(task: str, request: Request, models: Models) -> Response:
    """Predict one row or a list of rows."""
    return await answer(models.find(task), request)


async def answer(model: Model, request: Request) -> Response:
    """Answer a request's rows; a large one in a thread, so that others need not wait for it."""
    body = await read_body(request)
    if len(body) > LARGE_BODY:
        return await run_in_threadpool(answer_body, model, body)
    return answer_body(model, body)


def answer_body(model: Model, body: bytes) -> Response:
    """Return the answers to the rows in a body, and which model gave them."""
    about = model.manifest
    return as_response(
        {
            "task": about.task,
            "model": about.model.family,
            "version": about.version,
            "sha256": about.model.sha256,
            "predictions": model.predict(rows_of(body)),
        }
    )


@router.get("/health")
async def health() -> Health:
    """Say that the process lives; what it can predict is in /model/info."""
    return Health(status="ok")


@router.get("/model/info")
async def inventory(models: Models) -> Inventory:
    """Describe every model that serves, and say why others do not."""
    cards = [model.manifest for model in models.loaded.values()]
    return Inventory(
        default=models.default, models=cards, refused=dict(models.refused), problem=models.problem
    )


@router.get("/model/info/{task}", responses={code: ERRORS[code] for code in (404, 503)})
async def model_info(task: str, models: Models) -> Card:
    """Describe a model: version, hashes, metrics with intervals, columns, libraries."""
    return models.find(task).manifest


def operation_id(route: APIRoute) -> str:
    """Name an operation in generated clients after its function."""
    return route.name


def create_app() -> Service:
    """Return a service of its own; its models are loaded when it starts."""
    service = Service(
        title="Predictions",
        version="1",
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
    )
    service.include_router(router)
    service.exception_handler(RequestError)(refuse)
    return service


app = create_app()
