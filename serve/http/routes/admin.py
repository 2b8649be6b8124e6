"""What only a key with the scope ``admin`` may ask for."""

from fastapi import APIRouter, Request

from serve.http.dependencies import MAY_ADMINISTER
from serve.http.schemas import GUARDED, Reloaded

router = APIRouter(dependencies=[MAY_ADMINISTER], responses=GUARDED)


@router.post("/admin/reload")
async def reload(request: Request) -> Reloaded:
    """Read all models again, and take over those that prove themselves; tell what became of each.

    Other workers follow within SERVE_RELOAD_SECONDS.
    """
    return Reloaded(tasks=await request.app.reloader.reload_everywhere())
