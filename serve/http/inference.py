"""Answers a request for inference of the Open Inference Protocol: tensors in, tensors out."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pydantic
from fastapi import Request, Response

from serve.http import tensors
from serve.http.body import check_media_type, read_body
from serve.http.dependencies import to_thread
from serve.http.queue import Ran, run_rows_at_once
from serve.http.state import Shared
from serve.http.tensors import InferenceRequest, RequestOutput, Tensor
from serve.runtime.errors import RequestError
from serve.runtime.json_rows import RepeatedKeys, encode_json, parse
from serve.runtime.manifest import Manifest
from serve.runtime.model import Checked, Model

JSON_LENGTH = "Inference-Header-Content-Length"
BINARY = "application/octet-stream"
TAKES = ("application/json", BINARY)
MAX_PROBLEMS = 10  # things wrong with a request, which are told in one text


async def infer(model: Model, request: Request) -> Response:
    """Answer a request for inference, off the event loop; raises RequestError (4xx, 503)."""
    shared: Shared = request.app.shared
    headers = dict(request.scope["headers"])
    check_media_type(headers, TAKES, may_be_absent=True)
    body = await read_body(request.receive, headers, shared.settings.max_body_bytes)
    length = _read_json_length(request, body)
    inference = Inference(model, body[:length], body[length:], shared.settings.max_rows)
    if model.engine.is_slow:
        ran = await shared.queue.run_rows(model, inference.read)
        response = await to_thread(inference.respond, ran)
    else:
        ran, response = await to_thread(inference.answer)
    rows = encode_json(inference.rows) if shared.prediction_log else b""
    request_id = request.scope["state"]["request_id"]
    shared.record(model, request_id, rows, ran.outcomes, ran.seconds)
    return response


class Inference:
    """One request for inference of a model; its steps may run in any thread."""

    def __init__(self, model: Model, content: bytes, binary: bytes, most: int) -> None:
        self.model, self.content, self.binary, self.most = model, content, binary, most
        self.rows: list[dict[str, Any]] = []

    def answer(self) -> tuple[Ran, Response]:
        """Return what came of the rows, and the answer; raises RequestError (400, 413, 422)."""
        ran = run_rows_at_once(self.model, self.read)
        return ran, self.respond(ran)

    def read(self) -> list[Checked]:
        """Return the rows ready to run; raises RequestError (400, 413, 422)."""
        self.parsed = read_request(self.content)
        columns = self.model.manifest.columns
        self.rows = tensors.read_rows(self.parsed.inputs, columns, self.binary, self.most)
        return self.model.check((["inputs", index], row) for index, row in enumerate(self.rows))

    def respond(self, ran: Ran) -> Response:
        """Return the tensors asked for; raises RequestError (400) where there is no such one."""
        manifest = self.model.manifest
        answers = [*map(self.model.answers.answer, ran.outcomes)]
        return respond(self.parsed, manifest, tensors.build_tensors(manifest, answers))


def _read_json_length(request: Request, body: bytes) -> int:
    """Return how many bytes of the body are JSON; raises RequestError (400)."""
    length = request.headers.get(JSON_LENGTH, str(len(body)))
    if not re.fullmatch("[0-9]{1,15}", length) or int(length) > len(body):
        seen = f"{JSON_LENGTH} is {length[:80]!r}, but the body has {len(body):,} bytes"
        raise RequestError(400, seen)
    return int(length)


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
