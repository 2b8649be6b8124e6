"""Answers a request for inference of the Open Inference Protocol: tensors in, tensors out."""

import json
import re
import time
from collections.abc import Iterator, Sequence

import pydantic
from fastapi import Request, Response

from serve.http import tensors
from serve.http.body import read_body
from serve.http.dependencies import to_thread
from serve.http.state import Shared
from serve.http.tensors import InferenceRequest, RequestOutput, Tensor
from serve.runtime.errors import RequestError
from serve.runtime.json_rows import RepeatedKeys, encode_json, parse
from serve.runtime.manifest import Manifest
from serve.runtime.model import Model

JSON_LENGTH = "Inference-Header-Content-Length"
BINARY = "application/octet-stream"
TAKES = ("", "application/json", BINARY)
MAX_PROBLEMS = 10  # things wrong with a request, which are told in one text


async def infer(model: Model, request: Request) -> Response:
    """Answer a request for inference, in a thread; raises RequestError (400, 413, 415, 422)."""
    shared: Shared = request.app.shared
    _check_content_type(request)
    headers = dict(request.scope["headers"])
    body = await read_body(request.receive, headers, shared.settings.max_body_bytes)
    length = _read_json_length(request, body)
    request_id = request.scope["state"]["request_id"]
    run = shared.queue.run if model.engine.is_slow else to_thread
    return await run(answer, model, body, length, request_id, shared)


def _check_content_type(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in TAKES:
        raise RequestError(415, f"Content-Type {kind[:80]!r} is not accepted: send {TAKES[1]}")
    coding = request.headers.get("content-encoding", "identity")
    if coding != "identity":
        raise RequestError(415, f"Content-Encoding {coding[:80]!r} is not accepted: send it plain")


def _read_json_length(request: Request, body: bytes) -> int:
    """Return how many bytes of the body are JSON; raises RequestError (400)."""
    length = request.headers.get(JSON_LENGTH, str(len(body)))
    if not re.fullmatch("[0-9]{1,15}", length) or int(length) > len(body):
        seen = f"{JSON_LENGTH} is {length[:80]!r}, but the body has {len(body):,} bytes"
        raise RequestError(400, seen)
    return int(length)


def answer(model: Model, body: bytes, length: int, request_id: str, shared: Shared) -> Response:
    """Return the tensors asked for; raises RequestError (400, 413, 422)."""
    parsed = read_request(body[:length])
    columns, most = model.manifest.columns, shared.settings.max_rows
    rows = tensors.read_rows(parsed.inputs, columns, body[length:], most)
    checked = model.check((["inputs", index], row) for index, row in enumerate(rows))
    start = time.perf_counter()
    outcomes = model.run(checked)
    shared.telemetry.count_predictions(model.manifest, outcomes, time.perf_counter() - start)
    if shared.prediction_log:
        content = model.answers.to_json(outcomes, request_id)
        shared.prediction_log.put(model, request_id, json.dumps(rows).encode(), content)
    made = tensors.build_tensors(model.manifest, [*map(model.answers.answer, outcomes)])
    return respond(parsed, model.manifest, made)


def read_request(content: bytes) -> InferenceRequest:
    """Return the request in a JSON text; raises RequestError (400) that names what is wrong."""
    found = parse(content)
    if repeated := [*_find_repeated_keys(found)]:
        raise RequestError(400, f"the key {repeated[0][:80]!r} is there more than once")
    try:
        return InferenceRequest.model_validate(found)
    except pydantic.ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)[:MAX_PROBLEMS]
        text = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems
        )
        raise RequestError(400, f"not a request of this protocol: {text}") from error


def _find_repeated_keys(content: object) -> Iterator[str]:
    """Yield the keys that an object names more than once, outside of the data."""
    if isinstance(content, RepeatedKeys):
        yield from content.repeated
    if isinstance(content, dict):
        content = [value for key, value in content.items() if key != "data"]
    for part in content if isinstance(content, list) else ():
        yield from _find_repeated_keys(part)


def respond(parsed: InferenceRequest, manifest: Manifest, made: Sequence[Tensor]) -> Response:
    """Return the outputs that were asked for, all if none is named, as JSON or as bytes."""
    available = {tensor.name: tensor for tensor in made}
    wanted = parsed.outputs or [RequestOutput(name=name) for name in available]
    outputs, binary = [], []
    for item in wanted:
        if item.name not in available:
            names = ", ".join(available)
            raise RequestError(400, f"there is no output {item.name[:80]!r}: there is {names}")
        tensor = available[item.name]
        about = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if is_binary(parsed, item):
            binary.append(tensor.to_bytes())
            outputs.append({**about, "parameters": {"binary_data_size": len(binary[-1])}})
        else:
            outputs.append({**about, "data": tensor.values})
    content = {"model_name": manifest.task, "model_version": manifest.version}
    if parsed.id is not None:
        content["id"] = parsed.id
    text = encode_json({**content, "outputs": outputs})
    if not binary:
        return Response(text, media_type="application/json")
    headers = {JSON_LENGTH: str(len(text))}
    return Response(text + b"".join(binary), 200, headers, BINARY)


def is_binary(parsed: InferenceRequest, output: RequestOutput) -> bool:
    """Say whether an output was asked for as bytes, by itself or with all the others."""
    own = output.parameters.binary_data if output.parameters else None
    every = parsed.parameters.binary_data_output if parsed.parameters else None
    return bool(every if own is None else own)
