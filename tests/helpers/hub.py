"""A stand-in for the Hugging Face hub on loopback: its answers, headers, refusals, and connections that are cut."""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from unittest import mock
from urllib.parse import quote, unquote, urlsplit

from huggingface_hub import constants

TOKEN = "hf_granted"
KINDS = {"models": "", "datasets": "datasets/"}


@dataclass
class Repository:
    """Hold the branches of a repository, each the files by path, and who may read it."""

    branches: dict[str, dict[str, bytes]]
    gated: bool = False
    private: bool = False

    def commit(self, branch: str) -> str:
        """Return a commit for what is on a branch now."""
        content = repr(sorted(self.branches[branch].items())).encode()
        return hashlib.sha1(branch.encode() + content, usedforsecurity=False).hexdigest()

    def branch_of(self, revision: str) -> str | None:
        """Return the branch that a revision names, by itself or by its commit."""
        return next((each for each in self.branches if revision in (each, self.commit(each))), None)


@dataclass
class StandIn:
    """Hold what the hub serves, and what it was asked.

    cuts : by file, after how many bytes each of the next connections ends
    busy : by file, how many answers are 429 first
    large : bytes from which a file is in large storage, with a SHA-256
    broken : files of which other bytes come than are listed
    elsewhere : large files come from another host, to which the hub sends on
    tokens : what that host was shown
    """

    address: str
    repositories: dict[str, Repository] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    large: int = 1000
    broken: set[str] = field(default_factory=set)
    elsewhere: bool = False
    tokens: list[str | None] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms
    hub: ClassVar[StandIn]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.hub.asked.append(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
        if path.startswith("/elsewhere/"):
            self.hub.tokens.append(self.headers.get("Authorization"))
            return self._other_host(path.removeprefix("/elsewhere"), body)
        tree = re.fullmatch(r"/api/(?:models|datasets)/([^/]+/[^/]+)/tree/([^/]+)", path)
        file = re.fullmatch(r"/(?:datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        match = tree or file
        if match is None:
            return self._refuse(404, "EntryNotFound")
        repository = self.hub.repositories.get(match[1])
        known = self.headers.get("Authorization")
        if known not in (None, f"Bearer {TOKEN}", "Bearer hf_other"):
            return self._refuse(401, None, "Invalid credentials in Authorization header")
        allowed = known == f"Bearer {TOKEN}"
        if repository is None or (repository.private and not allowed):
            return self._refuse(404 if known else 401, "RepoNotFound")
        if repository.gated and not allowed and file:  # what it holds can be listed by all
            return self._refuse(403 if known else 401, "GatedRepo")
        branch = repository.branch_of(match[2])
        if branch is None:
            return self._refuse(404, "RevisionNotFound")
        files, commit = repository.branches[branch], repository.commit(branch)
        if tree:
            return self._send(json.dumps([self._listed(*each) for each in files.items()]).encode(), {}, body)
        assert file is not None
        if file[3] not in files:
            return self._refuse(404, "EntryNotFound")
        if self.hub.elsewhere and len(files[file[3]]) >= self.hub.large:
            place = f"http://localhost:{self.server.server_address[1]}/elsewhere{quote(path)}"
            return self._send(b"", {"Location": place, "X-Repo-Commit": commit}, body, 302)
        self._file(file[3], files[file[3]], commit, body)

    def _other_host(self, path: str, body: bool) -> None:
        file = re.fullmatch(r"/(?:datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        assert file is not None
        repository = self.hub.repositories[file[1]]
        branch = repository.branch_of(file[2]) or ""
        self._file(file[3], repository.branches[branch][file[3]], repository.commit(branch), body)

    def _listed(self, path: str, content: bytes) -> dict[str, object]:
        entry: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": git_digest(content)}
        if len(content) >= self.hub.large:
            entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        return entry

    def _file(self, path: str, content: bytes, commit: str, body: bool) -> None:
        large = len(content) >= self.hub.large
        etag = hashlib.sha256(content).hexdigest() if large else git_digest(content)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if path in self.hub.broken:
            content = bytes(each ^ 1 for each in content)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted:
            begin = int(wanted[1])
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            content = content[begin:]
        cut = self.hub.cuts[path].pop(0) if body and self.hub.cuts.get(path) else None
        self._send(content, headers, body, 206 if wanted else 200, cut)

    def _send(
        self, content: bytes, headers: dict[str, str], body: bool, status: int = 200, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content[:cut])
        if cut is not None:
            self.close_connection = True

    def _refuse(self, status: int, code: str | None, message: str = "refused") -> None:
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self._send(b"{}", headers, self.command == "GET", status)


def git_digest(content: bytes) -> str:
    """Return the name that git gives to the content of a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@contextmanager
def stand_in(cache: str) -> Iterator[StandIn]:
    """Serve a hub, which the client in this process asks from now on, with a cache of its own and no token."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    hub = StandIn(f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = type("Handler", (_Handler,), {"hub": hub})
    changes = {
        "ENDPOINT": hub.address,
        "HUGGINGFACE_CO_URL_TEMPLATE": hub.address + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": cache,
        "HF_TOKEN_PATH": f"{cache}/token",
        "HF_HUB_OFFLINE": False,
        "DOWNLOAD_CHUNK_SIZE": 1000,  # bytes that are written at once; what is cut within them comes again
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        with mock.patch.multiple(constants, **changes):
            yield hub
    finally:
        server.shutdown()
        server.server_close()


def zipped(files: dict[str, bytes], links: tuple[str, ...] = ()) -> bytes:
    """Return a zip of files by path."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, each in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = ((stat.S_IFLNK if name in links else stat.S_IFREG) | 0o644) << 16
            archive.writestr(info, each)
    return content.getvalue()
