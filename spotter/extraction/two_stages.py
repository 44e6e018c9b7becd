"""A model of features that takes videos: what made the features it was trained on makes them again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spotter.data.features import RowMaker
from spotter.data.fps import parse_fps
from spotter.data.pca import Pca
from spotter.data.source import InputSpec
from spotter.data.streams import Stream
from spotter.errors import UserError
from spotter.extraction.backbones import open_backbone
from spotter.extraction.sn_spotting import RECIPES
from spotter.extraction.write import Extractor
from spotter.inference.model import Model, load_model

log = logging.getLogger(__name__)
Given = str | PathLike[str] | Sequence[str | PathLike[str]]


def load(
    path: str | PathLike[str],
    device: str | torch.device | None = None,
    precision: str | int | None = None,
    trust: str | Sequence[str] = (),
    extractor: Given | None = None,
    extractor_weights: str | None = None,
    label_set: str | None = None,
) -> Model:
    """Load a trained model for prediction.

    path : a checkpoint, or the folder of a run, whose best checkpoint is taken; weights by ``spotter export-weights``;
        or either on the Hugging Face hub, ``hf://owner/name[@revision]/file``
    device : for example "cpu" or "cuda:1"; None for a GPU if there is one
    precision : 32, 16 or bf16; None for bf16 on hardware that computes in it, else 32
    trust : a module of yours, or several, whose networks and heads a checkpoint may name; no others are imported
    extractor : what made the features that the model was trained on: a network of timm, or a checkpoint that reads
        video, one for each stream; then ``predict`` and ``scores`` take videos
    extractor_weights : a file of weights of a network of timm; None for those that timm downloads
    label_set : of a model that was trained jointly, the name of the other labels that are predicted; None for its own

    Raises UserError for a file that is missing, damaged, of a newer format, or names a network that is not trusted, for
    a trusted module that cannot be imported, and for an extractor that did not make the model's features.
    """
    model = load_model(path, device, precision, trust, label_set)
    if extractor is None:
        return model
    makers = open_makers(model.system.spec, extractor, extractor_weights, str(model.compute.device))
    return Model(model.system, model.compute, makers)


def open_makers(
    spec: InputSpec, given: Given, weights: str | None = None, device: str | None = None
) -> dict[str, RowMaker]:
    """Return what makes the features of every stream of ``spec`` of a video.

    given, weights : see ``load``
    Raises UserError where an extractor did not make the features that the model was trained on.
    """
    names = [fspath(given)] if isinstance(given, str | PathLike) else [fspath(each) for each in given]
    if len(names) != len(spec.streams) or spec.kind != "features":
        reads = f"{len(spec.streams)} streams of features" if spec.kind == "features" else "video itself"
        raise UserError(f"extractor: {len(names)} given, and this model reads {reads}; give one for each stream")
    return {
        stream.name: _maker(stream, name, weights, device) for stream, name in zip(spec.streams, names, strict=True)
    }


@dataclass(frozen=True, eq=False)
class _Maker:
    extractor: Extractor
    name: str
    dtype: str

    def __call__(self, path: Path) -> NDArray[np.floating]:
        """Return the rows of a video, in the precision that files have."""
        log.info("%s: features by %s", path, self.name)
        return round_rows(self.extractor.rows(path), self.dtype)


def round_rows(rows: NDArray[np.float32], dtype: str) -> NDArray[np.floating]:
    """Return rows in the precision of files of such a type; those whose numbers it cannot hold stay as they are."""
    if dtype == "float32":
        return rows
    with np.errstate(over="ignore"):  # checked below
        rounded = rows.astype(np.float16)
    return rounded if (np.isfinite(rounded) == np.isfinite(rows)).all() else rows


def _maker(stream: Stream, name: str, weights: str | None, device: str | None) -> RowMaker:
    known = dict(stream.extractor or {})
    dtype = str(known.pop("dtype", "float16"))  # what older files were mostly, which do not say
    pca = None  # the source applies it itself where it reduces rows as it reads them
    if stream.pca is not None and stream.reduced is None:
        pca = Pca.parse(stream.pca.numpy().tobytes(), f"the components of {stream.name}")
    recipe = next((each for each in RECIPES if each == known.get("recipe")), None)
    backbone = open_backbone(name, weights, str(known.get("crop", "centre")), device, recipe=recipe)
    context, pool = float(known.get("context", 0.0)), str(known.get("pool", "mean"))
    extractor = Extractor(backbone, parse_fps(stream.fps), context, pool, pca)
    if known and known != extractor.about:
        raise UserError(
            f"extractor: the features of stream {stream.name} were made by {_describe(known)}, and "
            f"{_describe(extractor.about)} was given"
        )
    if extractor.width != stream.width:
        raise UserError(
            f"extractor: stream {stream.name} is {stream.width} wide, and the rows of {name} are {extractor.width}"
        )
    if not known:
        log.warning("extractor: nothing beside the features of stream %s said what made them; %s fits by its width",
                    stream.name, name)  # fmt: skip
    return _Maker(extractor, name, dtype)


def _describe(about: object) -> str:
    named = dict(about) if isinstance(about, dict) else {}
    return ", ".join(f"{key} {value}" for key, value in named.items())
