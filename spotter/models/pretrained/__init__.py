"""Networks that others released: as PyTorch modules of their codebase, or converted to checkpoints of spotter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from spotter.checks import check_choice
from spotter.errors import UserError
from spotter.models.pretrained.options import ImportOptions
from spotter.types import Plain

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Codebase:
    """Hold what spotter can do with the checkpoints of one codebase."""

    load: Callable[[str | Path, ImportOptions], nn.Module]
    convert: Callable[[str | Path, str | Path, ImportOptions], Plain]


def _e2e_spot() -> Codebase:
    from spotter.models.pretrained.convert_e2e_spot import convert_e2e_spot
    from spotter.models.pretrained.e2e_spot import load_e2e_spot

    return Codebase(load_e2e_spot, convert_e2e_spot)


def _t_deed() -> Codebase:
    from spotter.models.pretrained.convert_t_deed import convert_t_deed
    from spotter.models.pretrained.t_deed import load_t_deed

    return Codebase(load_t_deed, convert_t_deed)


def _baikulov() -> Codebase:
    from spotter.models.pretrained.baikulov import convert_baikulov, load_baikulov

    return Codebase(load_baikulov, convert_baikulov)


def _adaspot() -> Codebase:
    from spotter.models.pretrained.adaspot import convert_adaspot, load_adaspot

    return Codebase(load_adaspot, convert_adaspot)


def _comedian() -> Codebase:
    from spotter.models.pretrained.comedian import convert_comedian, load_comedian

    return Codebase(load_comedian, convert_comedian)


def _pooling(codebase: str) -> Codebase:
    from spotter.models.pretrained.convert_pooling import convert_pooling
    from spotter.models.pretrained.pooling import load_pooling

    return Codebase(load_pooling, partial(convert_pooling, codebase=codebase))


def _grounding() -> Codebase:
    from spotter.models.pretrained.grounding import convert_grounding, load_grounding

    return Codebase(load_grounding, convert_grounding)


KINDS: dict[str, Callable[[], Codebase]] = {  # each imports what it needs when it is called: torch takes seconds
    "e2e-spot": _e2e_spot,
    "t-deed": _t_deed,
    "baikulov": _baikulov,
    "adaspot": _adaspot,
    "comedian": _comedian,
    "sn-pooling": partial(_pooling, "sn-pooling"),
    "netvladpp": partial(_pooling, "netvladpp"),
    "sn-grounding": _grounding,
}


def load_published(
    path: str | Path,
    kind: str,
    *,
    clip_len: int | None = None,
    pool: str | None = None,
    threshold: float | None = None,
) -> nn.Module:
    """Return a released network in eval mode, with the inputs and outputs of its codebase; nothing in it is executed.

    kind : the codebase:
        ``e2e-spot``, a ``checkpoint_*.pt`` with its ``config.json`` beside it, or their folder: then of the highest
        epoch. Maps normalised clips (B, T, 3, H, W), T up to the clip length, to logits (B, T, 1 + K).
        ``t-deed``, a state dict in a ``.pt`` file, or the folder that holds it alone; ``config.json`` may be missing.
        Maps normalised clips (B, T, 3, H, W) to logits (B, T, 1 + K), and to displacements (B, T) in frames from a
        spot to its anchor, 0 where it learned none; those of two heads stand side by side.
        ``baikulov``, a ``.pth`` file. Maps grey frames from 0 to 1, every second one, (B, T, H, W), to logits (B, K).
        ``adaspot``, a state dict in a ``.pt`` file. Maps normalised clips (B, T, 3, H, W) at high resolution, of which
        the low one is half, to the joint logits (B, T, 1 + K).
        ``comedian``, a ``.ckpt`` file of a ViViT, whatever its names begin with. Maps normalised clips (B, 3, T, H, W)
        to logits (B, T / 2, K).
        ``sn-pooling`` and ``netvladpp``, a ``model.pth.tar``. Maps windows of features (B, T, D) to probabilities
        (B, 1 + K).
        ``sn-grounding``, a ``model.pth.tar`` of CALF. Maps clips and repeated replays, (B, 240, 512) each, to the
        segmentation (B, 240) and to confidence and time, a fraction of the clip, (B, 2).
    clip_len : frames, of ``e2e-spot`` alone, for checkpoints that lost their ``config.json``
    pool : ``max`` or ``mean``, of pooling baselines alone, for files whose pool has no weights
    threshold : of ``adaspot`` alone, how much of the map a region must hold; 0 by default, as for football

    Classes are in the codebase's order, background first. Raises UserError for another kind, and for a file that is
    missing, damaged, or of another network.
    """
    options = ImportOptions(clip_len=clip_len, pool=pool, threshold=threshold)
    with _naming_misfits(path):
        return _codebase(kind, options).load(path, options)


def convert_published(path: str | Path, out: str | Path, kind: str, options: ImportOptions | None = None) -> Plain:
    """Write a released network as the spotter checkpoint ``out``, and return its settings.

    kind : see ``load_published``
    options : what the file lacks

    Raises UserError for what cannot be converted, and where the file's classes are not those of the task.
    """
    options = options or ImportOptions()
    with _naming_misfits(path):
        return _codebase(kind, options).convert(path, out, options)


@contextmanager
def _naming_misfits(path: str | Path) -> Iterator[None]:
    """Turn what goes wrong with tensors of shapes that no such network has into a UserError."""
    try:
        yield
    except Exception as error:
        from spotter.models.build import SHOWN  # here, for torch takes seconds
        from spotter.models.system import UNFIT

        if not isinstance(error, UNFIT):
            raise
        reason = " ".join(str(error).split())[:SHOWN]
        raise UserError(f"{path}: not the network that its keys suggest ({reason})") from error


def _codebase(kind: str, options: ImportOptions) -> Codebase:
    check_choice("kind", kind, KINDS)
    if kind != "adaspot":
        options.refuse(kind, "threshold")
    return KINDS[kind]()
