"""Commentary as a feature stream: the text model that stands in a tree, and transcripts read by it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spotter.data.commentary.text_model import TEXT_MODEL, TextModel
from spotter.data.streams import Stream
from spotter.errors import UserError
from spotter.io.transcripts.files import SUFFIXES, read_transcript

log = logging.getLogger(__name__)


def with_text_model(stream: Stream, root: str | Path) -> Stream:
    """Return the stream with the text model that ``spotter prepare commentary`` left in the root, if there is one.

    Raises UserError where it does not belong to the stream's features.
    """
    path = Path(root) / f"{stream.file}{TEXT_MODEL}"
    if stream.text_model is not None or not path.is_file():
        return stream
    content = path.read_bytes()
    if not content:
        raise UserError(f"{path}: is empty, since spotter prepare commentary was interrupted: give that command again")
    _check(TextModel.parse(content, str(path)), stream, path)
    return replace(stream, text_model=torch.frombuffer(bytearray(content), dtype=torch.uint8))


def is_transcript(path: Path) -> bool:
    """Return whether a user's file is one that a text model reads."""
    return path.suffix.lower() in SUFFIXES


def transcript_rows(stream: Stream, path: Path) -> NDArray[np.float16]:
    """Return the columns of a stream that are read, made from a transcript by the text model of the stream.

    Says what is odd about the transcript, and how often.

    Raises UserError for a file that is no transcript, and where the stream has no text model.
    """
    if stream.text_model is None:
        raise UserError(
            f"{path}: a transcript, and this model was trained without the text model that makes its features of one; "
            f"give the features, .npy"
        )
    model = TextModel.parse(stream.text_model.numpy().tobytes(), f"the text model of stream {stream.name}")
    transcript = read_transcript(path)
    for what, number in transcript.oddities.items():
        log.warning("%s: %s: %d", path, what, number)
    rows = model.features(transcript)
    return rows if stream.columns is None else rows[:, slice(*stream.columns)]


def _check(model: TextModel, stream: Stream, where: Path) -> None:
    width, groups = sum(model.groups), str(model.groups).replace(" ", "")
    if (width, model.fps) != (stream.width, stream.fps):
        raise UserError(
            f"{where}: its features are {width} wide, {model.fps:g} a second, and the stream {stream.name} has "
            f"{stream.width}, {stream.fps:g} a second; give data.width={width} data.fps={model.fps:g} "
            f"data.source.streams.{stream.name}.groups={groups}"
        )
