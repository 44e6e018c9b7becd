"""Where the data of a task lies on the Hugging Face hub, and files of it brought to disk, whole or not at all."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self

from spotter.bounded import read_yaml
from spotter.errors import UsageError, UserError, did_you_mean, shorten
from spotter.io.game_files import ROOT, fault_of, game_file_to_write
from spotter.io.hub import explaining, reachable
from spotter.io.splits import SPLITS
from spotter.tasks import ASSETS, Task

TABLE = ASSETS / "downloads.yaml"
BLOCK = 1 << 20  # bytes that are hashed at once
SHA256 = 64  # digits


@dataclass(frozen=True)
class Source:
    """Say where one kind of data of a task lies; the head of ``assets/downloads.yaml`` explains the keys."""

    repo: str
    branch: str = "main"
    challenge: str | None = None
    files: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    unpack: tuple[str, ...] = ()
    splits: tuple[str, ...] = SPLITS
    gated: bool = False
    default: bool = False

    @classmethod
    def load(cls, entry: Mapping[str, Any]) -> Self:
        """Return an entry of the table."""
        lists: dict[str, Any] = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
        return cls(**{**entry, **lists})

    def wanted(self, split: str, games: Iterable[str]) -> list[str]:
        """Return the paths of a split in the repository, or patterns of them."""
        if split not in self.splits:
            return []
        listed = [f"{game}/{file}" for game in games for file in self.files]
        return listed + [path.replace("{split}", split) for path in self.paths]

    def repo_of(self, split: str) -> str:
        """Return the repository of a split."""
        return self.challenge if self.challenge and split == "challenge" else self.repo


@dataclass(frozen=True)
class Remote:
    """Describe a file on the hub: where it lies, its bytes, and a SHA-256 or the name that git gives to its content."""

    repo: str
    branch: str
    path: str
    size: int
    digest: str

    def hasher(self) -> hashlib._Hash:
        """Return what computes ``digest`` of the content."""
        if len(self.digest) == SHA256:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)


def sources_of(task: Task) -> dict[str, Source]:
    """Return what can be downloaded for a task, by name; raises UserError where nothing is known."""
    table = read_yaml(TABLE)
    assert isinstance(table, Mapping)
    for name in (task.name, task.splits):
        if name in table:
            return {str(what): Source.load(entry) for what, entry in table[name].items()}
    raise UsageError(f"{task.name}: nothing to download is known for it; there is some for {', '.join(table)}")


def choose(sources: Mapping[str, Source], names: Sequence[str]) -> dict[str, Source]:
    """Return the sources of these names, without names the usual ones; raises UsageError for an unknown name."""
    for name in names:
        if name not in sources:
            raise UsageError(f"--what: {shorten(name)} is unknown{did_you_mean(name, sources)}")
    return {name: each for name, each in sources.items() if name in names or (not names and each.default)}


def page_of(repo: str) -> str:
    """Return the address of a data set's page."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/datasets/{repo}"


def list_remote(repo: str, branch: str) -> dict[str, Remote]:
    """Return all files on a branch of a data set, by path; one request for a thousand of them."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    with explaining(f"{repo} ({branch})", f"datasets/{repo}"):
        if not reachable():
            raise ConnectionError
        found = HfApi().list_repo_tree(repo, recursive=True, revision=branch, repo_type="dataset")
        files = [each for each in found if isinstance(each, RepoFile)]
    return {
        each.path: Remote(repo, branch, each.path, each.size, each.lfs.sha256 if each.lfs else each.blob_id)
        for each in files
    }


def select(remote: Mapping[str, Remote], wanted: Iterable[str]) -> tuple[list[Remote], list[str]]:
    """Return the files that are wanted, each once, and which of the wanted there are none of.

    wanted : paths, and patterns with ``*``
    """
    found: dict[str, Remote] = {}
    missing = []
    for path in wanted:
        names = [name for name in remote if fnmatchcase(name, path)] if "*" in path else [path] * (path in remote)
        found |= {name: remote[name] for name in names}
        if not names:
            missing.append(path)
    return list(found.values()), missing


def place(root: Path, remote: Remote) -> Path:
    """Return where a file of the hub goes below ``root``; raises UserError for a path that would lead out of it."""
    fault = fault_of(remote.path)
    if fault:
        raise UserError(f"{remote.repo}: holds {shorten(remote.path)}, {fault}: it is not downloaded")
    folder, _, name = remote.path.rpartition("/")
    return game_file_to_write(root, folder or ROOT, name)


def part_of(path: Path, remote: Remote) -> Path:
    """Return where the bytes of a file lie until all are there; another content of the same name has another part."""
    return path.with_name(f".{path.name}.{remote.digest[:12]}.part")


def bytes_left(root: Path, remote: Remote) -> int:
    """Return how many bytes of a file have still to come; none where one of its name is there."""
    path = place(root, remote)
    if path.is_file():
        return 0
    part = part_of(path, remote)
    return remote.size - (min(part.stat().st_size, remote.size) if part.is_file() else 0)


def differs(root: Path, remote: Remote) -> bool:
    """Return whether another file of that name is there, by its size: a user's own, or one of another release."""
    path = place(root, remote)
    return path.is_file() and path.stat().st_size != remote.size


def download(root: Path, remote: Remote, progress: Callable[[int], None]) -> Path:
    """Bring a file to disk, from where an earlier attempt ended, and check its content; return its path.

    One of its name that is there stays.

    progress : is called with the number of bytes that have come
    Raises UserError where the hub hands it out no longer, or another content than it lists.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    path = place(root, remote)
    if path.is_file():
        return path
    part = part_of(path, remote)
    path.parent.mkdir(parents=True, exist_ok=True)
    url = hf_hub_url(remote.repo, remote.path, repo_type="dataset", revision=remote.branch)
    with _Part(part, progress) as file, explaining(f"{remote.path} of {remote.repo}", f"datasets/{remote.repo}"):
        begun = file.seek(0, os.SEEK_END)
        if begun < remote.size:
            http_get(url, file, resume_size=begun, headers=build_hf_headers(), expected_size=remote.size)
        os.fsync(file.fileno())
    if part.stat().st_size != remote.size or _digest(part, remote) != remote.digest:
        part.unlink()
        raise UserError(f"{path}: what came is not what the hub lists: the same command downloads it again")
    os.replace(part, path)
    return path


class _Part(io.FileIO):
    """Write the end of a file that is begun, and say how much is written."""

    def __init__(self, path: Path, progress: Callable[[int], None]) -> None:
        super().__init__(path, "r+" if path.is_file() else "w+")
        self._progress = progress

    def write(self, content: bytes) -> int:  # type: ignore[override]
        """Write all of ``content``."""
        view = memoryview(content)
        while view:
            view = view[super().write(view) :]
        self._progress(len(content))
        return len(content)


def _digest(path: Path, remote: Remote) -> str:
    found = remote.hasher()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()
