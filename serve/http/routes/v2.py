"""The Open Inference Protocol, version 2, under /v2: the same models to clients of KServe.

A model's inputs are its columns, one tensor each; ``-1`` in a shape stands for the number of rows.
The extension for binary tensors is there as well: the values follow the JSON as bytes.
https://github.com/kserve/open-inference-protocol
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, JsonValue

from serve.http import tensors
from serve.http.dependencies import MAY_PREDICT, Models
from serve.http.inference import BINARY, MAX_PROBLEMS, infer
from serve.http.schemas import as_response
from serve.http.tensors import MetadataTensor
from serve.runtime.errors import Finding, RequestError
from serve.runtime.manifest import Manifest
from serve.runtime.model import Model

PLATFORM = "onnxruntime_onnx"


class ErrorResponse(BaseModel):
    """Why there is no answer."""

    error: str


class ServerLive(BaseModel):
    live: bool


class ServerReady(BaseModel):
    ready: bool


class ModelReady(BaseModel):
    name: str
    ready: bool


class ServerMetadata(BaseModel):
    name: str
    version: str
    extensions: list[str]


class ModelMetadata(BaseModel):
    """A model's tensors; ``properties`` holds its labels, as a JSON list, in their order."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[MetadataTensor]
    outputs: list[MetadataTensor]
    properties: dict[str, str]


class ResponseOutput(MetadataTensor):
    """An output: its values row by row, or their number of bytes behind the JSON."""

    data: list[JsonValue] | None = None
    parameters: dict[str, JsonValue] | None = None


class InferenceResponse(BaseModel):
    """What was asked for, with the id that the request gave."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]


class ProtocolRoute(APIRoute):
    """A route that tells of errors as the protocol does: one text, 400 for what does not fit."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_or_refuse(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestError as refusal:
                status = 400 if refusal.status == 422 else refusal.status
                error = {"error": _join_findings(refusal.detail)}
                return as_response(error, status, refusal.headers)

        return handle_or_refuse


def _join_findings(detail: str | list[Finding]) -> str:
    if isinstance(detail, str):
        return detail
    texts = [f"{_name_place(finding)}: {finding['msg']}" for finding in detail[:MAX_PROBLEMS]]
    rest = len(detail) - MAX_PROBLEMS
    return "; ".join(texts) + (f"; and {rest:,} more" if rest > 0 else "")


def _name_place(finding: Finding) -> str:
    row, *column = finding["loc"][1:]
    return f"row {row}" + "".join(f", {name}" for name in column)


def describe_problem(description: str) -> dict[str, Any]:
    return {"model": ErrorResponse, "description": description}


GUARDED: dict[int | str, dict[str, Any]] = {
    401: describe_problem("the server wants an API key, and got none it knows"),
    403: describe_problem("the API key lacks the scope for this"),
    429: describe_problem("too many requests; Retry-After says how long to wait"),
}
FOUND: dict[int | str, dict[str, Any]] = {
    404: describe_problem("no such model, or not in this version"),
    503: describe_problem("the model could not be loaded, or is too busy"),
}
INFER: dict[int | str, dict[str, Any]] = {
    **FOUND,
    200: {"content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}},
    400: describe_problem("not the protocol's JSON, or values that do not fit the model's columns"),
    413: describe_problem("too many rows or bytes"),
    415: describe_problem("the body is neither JSON nor bytes"),
}

open_router = APIRouter(prefix="/v2", route_class=ProtocolRoute, tags=["Open Inference Protocol"])
router = APIRouter(
    prefix="/v2",
    route_class=ProtocolRoute,
    tags=["Open Inference Protocol"],
    dependencies=[MAY_PREDICT],
    responses=GUARDED,
)


@open_router.get("/health/live")
async def server_live() -> ServerLive:
    """Say that the server answers."""
    return ServerLive(live=True)


@open_router.get(
    "/health/ready",
    response_model=ServerReady,
    responses={503: {"model": ServerReady, "description": "not every model is served"}},
)
async def server_ready(models: Models) -> Response:
    """Say whether every model is served."""
    return as_response({"ready": models.is_ready}, 200 if models.is_ready else 503)


@open_router.get("")
@open_router.get("/", include_in_schema=False)
async def server_metadata(request: Request) -> ServerMetadata:
    """Name the server and what it knows beyond the protocol."""
    app = request.app
    return ServerMetadata(name=app.title, version=app.version, extensions=["binary_tensor_data"])


def infer_body(example: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe the body of a request for inference."""
    schema = {"$ref": "#/components/schemas/InferenceRequest"}
    content = {"schema": schema, **({"example": example} if example else {})}
    return {"required": True, "content": {"application/json": content}}


def find(models: Models, model_name: str, model_version: str | None = None) -> Model:
    """Return a model; raises RequestError (404, 503) where it or its version is not served."""
    if models.loaded and model_name not in models.tasks:
        names = ", ".join(models.tasks)
        raise RequestError(404, f"there is no model {model_name[:80]!r}: there is {names}")
    model = models.find(model_name)
    found = model.manifest.version
    if model_version not in (None, found):
        raise RequestError(404, f"{model_name} is served in version {found} alone")
    return model


@router.get("/models/{model_name}", responses=FOUND)
async def model_metadata(model_name: str, models: Models) -> ModelMetadata:
    """Describe a model's inputs and outputs."""
    return describe_model(find(models, model_name).manifest)


@router.get("/models/{model_name}/versions/{model_version}", responses=FOUND)
async def model_version_metadata(
    model_name: str, model_version: str, models: Models
) -> ModelMetadata:
    """Describe a model's inputs and outputs, if it is served in this version."""
    return describe_model(find(models, model_name, model_version).manifest)


@router.get("/models/{model_name}/ready", responses=FOUND)
async def model_ready(model_name: str, models: Models) -> ModelReady:
    """Say that a model is served."""
    return ModelReady(name=find(models, model_name).manifest.task, ready=True)


@router.get("/models/{model_name}/versions/{model_version}/ready", responses=FOUND)
async def model_version_ready(model_name: str, model_version: str, models: Models) -> ModelReady:
    """Say that a model is served in this version."""
    return ModelReady(name=find(models, model_name, model_version).manifest.task, ready=True)


INFER_DOCUMENTED: dict[str, Any] = {
    "response_model": InferenceResponse,
    "responses": INFER,
    "openapi_extra": {"requestBody": infer_body()},
}


@router.post("/models/{model_name}/infer", **INFER_DOCUMENTED)
async def model_infer(model_name: str, models: Models, request: Request) -> Response:
    """Predict rows that come as tensors."""
    return await infer(find(models, model_name), request)


@router.post("/models/{model_name}/versions/{model_version}/infer", **INFER_DOCUMENTED)
async def model_version_infer(
    model_name: str, model_version: str, models: Models, request: Request
) -> Response:
    """Predict rows that come as tensors, if the model is served in this version."""
    return await infer(find(models, model_name, model_version), request)


def describe_model(manifest: Manifest) -> ModelMetadata:
    """Return what a client has to know of a model's tensors."""
    return ModelMetadata(
        name=manifest.task,
        versions=[manifest.version],
        platform=PLATFORM,
        inputs=[
            MetadataTensor(name=column.name, datatype=tensors.choose_datatype(column), shape=[-1])
            for column in manifest.columns
        ],
        outputs=tensors.describe_outputs(manifest),
        properties={"labels": json.dumps(manifest.target.labels)},
    )
