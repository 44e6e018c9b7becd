"""The config in the folder of a run: that of the command which wrote its newest checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from spotter.io.files import atomic_write

CONFIG, NEWEST = ".hydra", Path("checkpoints", "last.ckpt")


@dataclass(frozen=True)
class _Earlier:
    """Hold what a folder has before a command.

    files : the config in it
    written : when its newest checkpoint was written
    began : the command has the folder for itself; until then others may write there
    """

    files: dict[str, bytes]
    written: int | None
    began: bool = False


_earlier: dict[Path, _Earlier] = {}


class RunConfig(Callback):
    """Keep the config of a run that goes on, which Hydra overwrites before anything is known of the new command."""

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Read what lies in the folder of the run."""
        folder = Path(config.hydra.run.dir).absolute()
        if config.hydra.output_subdir is not None and (folder / CONFIG).is_dir():
            files = {path.name: path.read_bytes() for path in (folder / CONFIG).glob("*.yaml")}
            _earlier[folder] = _Earlier(files, _written(folder))


def begin_run(folder: Path) -> None:
    """Note that the command has the folder for itself: checkpoints that are written from now on are its own."""
    folder = folder.absolute()
    if folder in _earlier:
        _earlier[folder] = replace(_earlier[folder], written=_written(folder), began=True)


def restore_config(folder: Path) -> None:
    """Put the earlier config back after a command that has ended before it wrote a checkpoint."""
    before = _earlier.pop(folder.absolute(), None)
    if before is not None and not (before.began and _written(folder) != before.written):
        for name, content in before.files.items():
            atomic_write(folder / CONFIG / name, content)


def _written(folder: Path) -> int | None:
    newest = folder / NEWEST
    return newest.stat().st_mtime_ns if newest.is_file() else None
