"""A stand-in for W&B's server: it takes a run's history, answers no more than it must, and can be made to go away."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

USER = {"id": "1", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}
PROJECT = {"id": "p", "name": "spotter", "entity": {"id": "e", "name": "me"}}
BUCKET = {"id": "b", "displayName": "x", "description": "", "config": "{}", "sweepName": None, "historyLineCount": 0}
ANSWERS: dict[str, Any] = {
    "Viewer": {"viewer": USER},
    "RunResumeStatus": {"model": None},
    "ArtifactType": {"project": None},
    "CreateRunFiles": {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": []}},
}


class Server(ThreadingHTTPServer):
    """Hold what was asked, and go away with the request that mentions ``until`` for the ``after``-th time."""

    until, after = "", 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str]] = []
        self.gone = False


class Handler(BaseHTTPRequestHandler):
    """Answer the requests of W&B's client."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        text = (gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body).decode(
            errors="replace"
        )
        self.server.asked.append((self.path, text))
        named = [1 for _, asked in self.server.asked if self.server.until and self.server.until in asked]
        if self.server.gone or len(named) > self.server.after:
            self.server.gone = True
            self.close_connection = True
            return
        answer = json.dumps(self._answer(text) if "graphql" in self.path else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _answer(self, text: str) -> dict[str, Any]:
        asked = json.loads(text)
        found = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
        name = found[1] if found else ""
        if name == "UpsertBucket":
            bucket = {**BUCKET, "name": asked["variables"]["name"], "project": PROJECT}
            return {"data": {"upsertBucket": {"bucket": bucket, "inserted": True}}}
        return {"data": ANSWERS[name]} if name in ANSWERS else {"errors": [{"message": "not here"}]}

    def log_message(self, *_: Any) -> None:
        """Keep the terminal quiet."""


@contextmanager
def serving() -> Iterator[Server]:
    """Serve on a free port of this machine."""
    server = Server()
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
