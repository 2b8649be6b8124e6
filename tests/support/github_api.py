"""A GitHub that lives in this process: pull requests, their comments, and who wrote them."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "owner/pipeline"
BOT = "github-actions[bot]"
TOKEN = "a-token-that-must-not-be-shown"


@dataclass(frozen=True)
class Refusal:
    """A request that is not carried out: its method, the status and the headers of the answer."""

    method: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class GitHub:
    """What the server holds; ``log`` is every request that changed something.

    The first of ``refusals`` whose method is a request's own answers it, once.
    """

    url: str = ""
    pulls: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def environment(self, **extra: str) -> dict[str, str]:
        """Return the variables that a runner sets."""
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": "7",
            "GITHUB_TOKEN": TOKEN,
            **extra,
        }

    def open(self, number: int, head: str, sha: str) -> None:
        self.pulls.append({"number": number, "label": head, "head": {"sha": sha}})

    def say(self, text: str, login: str = BOT) -> int:
        number = len(self.comments) + 1
        self.comments.append({"id": number, "body": text, "user": {"login": login}})
        return number

    def refuse(self, method: str) -> Refusal | None:
        """Return the next refusal of this method, and forget it."""
        found = next((refusal for refusal in self.refusals if refusal.method == method), None)
        if found:
            self.refusals.remove(found)
        return found

    def answer(self, method: str, path: str, asked: dict[str, list[str]], content: Any) -> Any:
        if method != "GET":
            self.log.append((method, path))
        if method == "GET" and path == "pulls":
            return [it for it in self.pulls if it["label"] in asked["head"]]
        if method == "GET" and re.fullmatch(r"issues/\d+/comments", path):
            size, page = int(asked["per_page"][0]), int(asked["page"][0])
            return self.comments[size * (page - 1) : size * page]
        if method == "POST" and path == "pulls":
            self.open(12, f"owner:{content['head']}", "")
            return {**self._shown(path), **content}
        if method == "POST":
            self.say(content["body"])
        if method == "PATCH" and (found := re.fullmatch(r"issues/comments/(\d+)", path)):
            self.comments[int(found[1]) - 1]["body"] = content["body"]
        return self._shown(path)

    def _shown(self, path: str) -> dict[str, str]:
        return {"html_url": f"https://github.example/{path}"}


@contextmanager
def github() -> Iterator[GitHub]:
    """Serve on 127.0.0.1 until the block ends."""
    held = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            address = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            content = json.loads(self.rfile.read(size) or "null")
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
            if refusal := held.refuse(self.command):
                self.respond(refusal.status, {"message": "not now"}, refusal.headers)
                return
            path = address.path.removeprefix(f"/repos/{REPOSITORY}/")
            answer = (
                held.answer(self.command, path, parse_qs(address.query), content)
                if allowed
                else {"message": "Bad credentials"}
            )
            self.respond(200 if allowed else 401, answer)

        def respond(
            self, status: int, answer: Any, headers: tuple[tuple[str, str], ...] = ()
        ) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_GET = do_POST = do_PATCH = handle_any  # noqa: N815 - the names are http.server's

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
