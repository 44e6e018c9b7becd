"""Files on the Hugging Face hub, ``hf://owner/name[@revision]/file``, and what it means when one is refused."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from urllib.parse import urlsplit

from spotter.errors import UserError, shorten
from spotter.io.files import FULL
from spotter.io.game_files import fault_of

SCHEME = "hf://"
CLIENTS = ("httpx", "httpx2")  # of HTTP
NAME = re.compile(rf"{SCHEME}(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/]+))?/(?P<file>.+)")


def is_hub(path: str | PathLike[str]) -> bool:
    """Return whether a path names a file on the hub."""
    return fspath(path).startswith(SCHEME)


def local_file(path: str | PathLike[str], key: str = "ckpt") -> Path:
    """Return where a file of the hub lies in the cache, downloaded if need be; any other path is returned as it is.

    key : the option that names it
    Raises UserError for a name of another form, and where the hub cannot be reached or does not hand the file out.
    """
    if not is_hub(path):
        return Path(path)
    match = NAME.fullmatch(fspath(path))
    fault = fault_of(match["file"]) if match else "which lacks a part"
    if match is None or fault:
        raise UserError(f"{key}: expected hf://owner/name[@revision]/file, found {shorten(path)}, {fault}")
    from huggingface_hub import hf_hub_download  # here, so that networks and training do without

    with explaining(f"{key}: {path}", match["repo"]):
        cached = not reachable()
        return Path(hf_hub_download(match["repo"], match["file"], revision=match["revision"], local_files_only=cached))


def reachable() -> bool:
    """Return whether the hub answers within seconds; behind a proxy the request itself will tell.

    Its client tries for most of a minute before it gives up.
    """
    from huggingface_hub import constants

    if any(os.environ.get(key) for key in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    address = urlsplit(constants.ENDPOINT)
    try:
        socket.create_connection((address.hostname or "", address.port or 443), timeout=5).close()
    except OSError:
        return False
    return True


@contextmanager
def explaining(what: str, page: str) -> Iterator[None]:
    """Turn what goes wrong with the hub into one sentence; an error of the disk stays.

    what : begins the sentence
    page : of the repository, below the address of the hub
    """
    for client in CLIENTS:
        logging.getLogger(client).setLevel(logging.WARNING)  # each says every request
    try:
        yield
    except Exception as error:  # of the client of HTTP, too, which is another one in every version
        if isinstance(error, UserError) or (isinstance(error, OSError) and error.errno in FULL):
            raise
        raise UserError(f"{what}: {_explain(error, page)}") from error


def _explain(error: BaseException, page: str) -> str:
    from huggingface_hub import constants, errors

    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__  # why it was not found elsewhere
    offline = isinstance(error, errors.OfflineModeIsEnabled) or constants.HF_HUB_OFFLINE
    if offline:
        return "HF_HUB_OFFLINE is set, so nothing is downloaded"
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
    address = f"{constants.ENDPOINT}/{page}"
    if isinstance(error, errors.GatedRepoError):
        if status == 401:
            return f"access is granted to accounts: ask for it on {address}, then log in by `hf auth login`"
        return f"your account has not been granted access yet: ask for it on {address}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"there is no {address}, or it is private; if it is yours, log in by `hf auth login`"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{address} has no such branch, tag or commit"
    if isinstance(error, errors.EntryNotFoundError) and status == 404:
        return f"{address} has no such file"
    if isinstance(error, errors.HFValidationError):
        return "that is no name of a repository"
    reasons = {
        401: "the hub refuses your token: log in again by `hf auth login`",
        403: f"the hub refuses access: look at {address} with the account that `hf auth whoami` names",
        429: "too many requests for now: the same command goes on in some minutes; logged in, there may be more",
    }
    if status is not None:
        return reasons.get(status, f"the hub answers {status}: try again later")
    known = isinstance(error, errors.LocalEntryNotFoundError)
    reason = "" if known else f" ({' '.join(str(error).split())[:120] or type(error).__name__})"
    return f"{constants.ENDPOINT} cannot be reached{reason}: check the connection, then give the same command again"
