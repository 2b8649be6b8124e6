"""POST /explain/{task}: a prediction with what each column added to it."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from typing_extensions import TypedDict

from serve.http.body import check_headers, read_body
from serve.http.dependencies import MAY_PREDICT, Config, Models, RequestId, to_thread
from serve.http.openapi.bodies import MAX_EXPLAINED_ROWS, request_body
from serve.http.queue import Ran, run_rows_at_once
from serve.http.schemas import ERRORS, as_response
from serve.http.state import Shared
from serve.runtime.answers import Answer
from serve.runtime.attribution import AttributionError
from serve.runtime.errors import RequestError
from serve.runtime.explainer import Explainer, Score
from serve.runtime.json_rows import parse_rows
from serve.runtime.manifest import Explanation
from serve.runtime.model import Model


class Explained(TypedDict):
    """What /predict answers for a row, and the scores behind it."""

    prediction: Answer
    scores: list[Score]


class Explanations(BaseModel):
    """The rows' explanations in their order, and exactly which model gave them.

    Scores become answers through the inverse of ``link``: ``logit`` scores are log odds,
    ``softmax`` ones are exponentiated and divided by their sum, ``log`` ones are logarithms,
    ``identity`` ones the answer itself. Linear models count from the mean row; trees give
    path-dependent SHAP values.
    """

    task: str
    model: str
    version: str
    sha256: str
    request_id: str
    method: str
    link: str
    explanations: list[Explained]


router = APIRouter(dependencies=[MAY_PREDICT])
RESPONSES = ERRORS | {404: {**ERRORS[404], "description": "no such task, or none explained"}}
DOCUMENTED: dict[str, Any] = {
    "response_model": Explanations,
    "responses": RESPONSES,
    "openapi_extra": {"requestBody": request_body()},
}


@router.post("/explain/{task}", **DOCUMENTED)
async def explain(
    task: str, request: Request, models: Models, config: Config, request_id: RequestId
) -> Response:
    """Predict one row or a list of rows, and say what each column added to the scores.

    Exact: base and contributions sum to the score, and the score gives the answer.
    """
    model = models.find(task)
    explainer = find_explainer(model)
    headers = dict(request.scope["headers"])
    check_headers(headers)
    body = await read_body(request.receive, headers, config.max_body_bytes)
    try:
        ran, explanations = await to_thread(explain_body, model, explainer, body)
    except AttributionError as error:
        raise RequestError(503, str(error)) from error
    shared: Shared = request.app.shared
    shared.record(model, request_id, body, ran.outcomes, ran.seconds)
    about = describe_model(model, explainer.about)
    return as_response({**about, "explanations": explanations, "request_id": request_id})


def find_explainer(model: Model) -> Explainer:
    """Return what explains a model; raises RequestError (404) where nothing does exactly."""
    if model.explainer is None:
        task, family = model.manifest.task, model.manifest.model.family
        raise RequestError(404, f"{task}'s model ({family}) has no exact additive explanation")
    return model.explainer


def explain_body(model: Model, explainer: Explainer, body: bytes) -> tuple[Ran, list[Explained]]:
    """Return what came of a body's rows, and why; raises RequestError (400, 413, 422)."""
    rows = parse_rows(body, MAX_EXPLAINED_ROWS)
    ran = run_rows_at_once(model, lambda: model.check(rows))
    return ran, [
        Explained(
            prediction=model.answers.answer(outcome),
            scores=explainer.explain(ready.vector, row),
        )
        for outcome, ready, (_, row) in zip(ran.outcomes, ran.rows, rows, strict=True)
    ]


def describe_model(model: Model, explanation: Explanation) -> dict[str, str]:
    """Say which model gave the explanations, and how they are to be read."""
    manifest = model.manifest
    return {
        "task": manifest.task,
        "model": manifest.model.family,
        "version": manifest.version,
        "sha256": manifest.model.sha256,
        "method": explanation.method,
        "link": explanation.link,
    }
