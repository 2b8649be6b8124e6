"""What a client, an orchestrator or Prometheus may ask of the server itself."""

from fastapi import APIRouter, Request, Response

from serve.http.dependencies import MAY_PREDICT, Config, Meters, Models, to_thread
from serve.http.schemas import (
    ERRORS,
    GUARDED,
    Health,
    Info,
    Inventory,
    Readiness,
    TaskState,
    as_response,
)

router = APIRouter()


@router.get("/health")
async def health() -> Health:
    """Say that the process lives; whether it can predict is in /ready."""
    return Health(status="ok")


@router.get(
    "/ready",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "not every task is served"}},
)
async def ready(request: Request, models: Models, config: Config) -> Response:
    """Say whether every model is loaded, verified and has reproduced its golden predictions.

    A new model that was refused while the one before it serves on is told, and is no reason not
    to be ready. Where API keys are asked for, the details are for those who have one.
    """
    authenticator, headers = request.app.shared.authenticator, dict(request.scope["headers"])
    if config.public_details or authenticator.knows(headers):
        told = describe_readiness(models)
    else:
        told = Readiness(ready=models.is_ready, problem=None, tasks={})
    return as_response(told.model_dump(), 200 if models.is_ready else 503)


def describe_readiness(models: Models) -> Readiness:
    tasks = {
        task: TaskState(serves=True, version=model.manifest.version, detail=models.kept.get(task))
        for task, model in models.loaded.items()
    }
    tasks |= {
        task: TaskState(serves=False, version=None, detail=reason)
        for task, reason in models.refused.items()
    }
    return Readiness(ready=models.is_ready, problem=models.problem, tasks=tasks)


@router.get(
    "/metrics",
    dependencies=[MAY_PREDICT],
    responses={200: {"content": {"text/plain": {}}, "description": "for Prometheus"}, **GUARDED},
    response_class=Response,
)
async def metrics(request: Request, telemetry: Meters) -> Response:
    """Show what all workers have counted, as Prometheus reads it."""
    from serve.http.metrics.exposition import render

    accept = request.headers.get("accept", "")
    content, media_type = await to_thread(render, telemetry.memory.workers(), accept)
    return Response(content, media_type=media_type)


@router.get("/models", dependencies=[MAY_PREDICT], responses=GUARDED)
async def tasks(models: Models) -> Readiness:
    """List the tasks with the versions that serve them."""
    return describe_readiness(models)


@router.get("/model/info", dependencies=[MAY_PREDICT], responses=GUARDED)
async def inventory(models: Models) -> Inventory:
    """Describe every model that serves, and say why others do not."""
    return Inventory(
        default=models.default,
        models=[Info.of(model.manifest, model.registered) for model in models.loaded.values()],
        refused=dict(models.refused),
        problem=models.problem,
    )


@router.get(
    "/model/info/{task}",
    dependencies=[MAY_PREDICT],
    responses=GUARDED | {code: ERRORS[code] for code in (404, 503)},
)
async def model_info(task: str, models: Models) -> Info:
    """Describe a model: version, hashes, metrics with intervals, columns, libraries."""
    model = models.find(task)
    return Info.of(model.manifest, model.registered)
