"""What the images of a half are read from: a video file, a prepared store or a folder of JPEG files."""

from __future__ import annotations

from pathlib import Path

from spotter.data.video.decode import Video
from spotter.data.video.find import STORE
from spotter.data.video.jpegs import JpegFolder
from spotter.data.video.store import Store
from spotter.data.video.times import Numbers, clock
from spotter.errors import UserError

REPLACED_WITHIN = 1.0  # seconds: how far from its time an image may be shown where nothing in a clip can be decoded

ImageReader = Video | Store | JpegFolder


def open_reader(path: Path, threads: int = 1) -> ImageReader:
    """Open what holds the images of a half, by its suffix.

    threads : of a video's decoder
    Raises UserError where it cannot be read.
    """
    if path.is_dir():
        return JpegFolder(path)
    return Store(path) if path.suffix == STORE else Video(path, threads)


def even_width(height: int, shape: tuple[int, int]) -> int:
    """Return the even width at which images of ``shape`` (height, width) keep it when scaled to ``height``."""
    return max(2, 2 * round(height * shape[1] / shape[0] / 2))


def check_decoded(video: Video, wanted: Numbers, shown: Numbers) -> None:
    """Raise UserError where no image of a clip could be decoded, nor one close by."""
    if (shown == wanted).any():
        return
    seconds = video.times.seconds
    far = [abs(seconds(a) - seconds(b)) for a, b in zip(wanted.tolist(), shown.tolist(), strict=True)]
    if min(far) > REPLACED_WITHIN:
        begin, end = clock(seconds(int(wanted[0]))), clock(seconds(int(wanted[-1])))
        raise UserError(
            f"{video.path}: nothing from {begin} to {end} can be decoded; fetch the file again, "
            "or let `spotter prepare video` fill the gap"
        )
