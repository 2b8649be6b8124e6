"""The page at / for people, and /docs: a form, the API's document, and nothing from elsewhere."""

from functools import cache
from importlib import resources
from pathlib import Path

from fastapi import APIRouter, Request, Response

from serve.http.dependencies import Config
from serve.runtime.errors import RequestError

STATIC = Path(__file__).parents[1] / "static"
OWN = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "docs.css": "text/css",
    "docs.js": "text/javascript",
}
SWAGGER = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
HTML = "text/html; charset=utf-8"
# Scripts, styles and requests of this origin alone, and none written into the page itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# Swagger UI writes some styles into its elements; they load nothing.
DOCS_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page() -> Response:
    """Return the page with the form."""
    return _html("index.html", POLICY)


@router.get("/docs")
async def docs() -> Response:
    """Return Swagger UI over /openapi.json."""
    return _html("docs.html", DOCS_POLICY)


@router.get("/openapi.json")
async def document(request: Request, config: Config) -> Response:
    """Return the OpenAPI document; with keys set it tells of models, and so asks for one."""
    if not config.public_details:
        headers = dict(request.scope["headers"])
        request.app.shared.authenticator.admit(request.scope, headers, None)
    return Response(request.app.write_document(), media_type="application/json")


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """Return a script or a style of the pages."""
    kinds = OWN | SWAGGER
    if name not in kinds:
        raise RequestError(404, f"there is no file {name[:80]!r}")
    return Response(_content(name), media_type=f"{kinds[name]}; charset=utf-8")


def _html(name: str, policy: str) -> Response:
    return Response(_content(name), media_type=HTML, headers={"Content-Security-Policy": policy})


@cache
def _content(name: str) -> bytes:
    if name in SWAGGER:
        return resources.files("fastapi_offline").joinpath("static", name).read_bytes()
    return (STATIC / name).read_bytes()
