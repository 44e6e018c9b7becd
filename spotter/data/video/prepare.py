"""Make the prepared store of one half."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

from spotter.data.video.decode import Video
from spotter.data.video.jobs import Job
from spotter.data.video.jpegs import JpegFolder
from spotter.data.video.readers import even_width
from spotter.data.video.scale import Images
from spotter.data.video.store import Store, StoreHeader, StoreWriter
from spotter.data.video.times import Numbers
from spotter.errors import UserError
from spotter.io.files import atomic_file

CHUNK = 64  # images decoded at a time


def make(job: Job, advance: Callable[[int], None] = lambda images: None) -> tuple[StoreHeader, bool]:
    """Make one store and check it.

    advance : called with the number of images that have become ready
    Returns its header, and whether it was there before. Raises UserError when the source cannot be read, or when
    there is a store that was made with other settings.
    """
    existing = _existing_header(job)
    if existing is not None:
        return existing, True
    reader = JpegFolder(job.source) if job.source.is_dir() else Video(job.source, job.threads)
    header = _header(job, reader)
    count = reader.times.frames(job.recipe.fps)
    replaced = 0
    with atomic_file(job.target, sync=True) as file:
        writer = StoreWriter(file)
        for begin in range(0, count, CHUNK):
            numbers = reader.times.nearest(range(begin, min(begin + CHUNK, count)), job.recipe.fps)
            if isinstance(reader, JpegFolder):
                _copy(reader, numbers, header, writer)
            else:
                images = np.empty((len(numbers), header.height, header.width, 3), np.uint8)
                replaced += int(np.sum(reader.read(numbers, images) != numbers))
                for image in images:
                    writer.add(encode(image, job.recipe.quality))
            advance(len(numbers))
        writer.finish(header, replaced)
    check(job.target, count)
    return Store(job.target).header, False


def encode(image: Images, quality: int) -> bytes:
    """Return an image as JPEG with optimised Huffman tables, which make it smaller and faster to decode."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
    return out.getvalue()


def check(path: Path, count: int) -> None:
    """Raise UserError unless a store holds ``count`` images and a sample of them decodes; a bad one is deleted."""
    store = Store(path)
    try:
        if store.header.count != count:
            raise UserError(
                f"{path}: holds {store.header.count} images, expected {count}; make the store again, and check the disk"
            )
        store.check_images()
    except UserError:
        path.unlink()
        raise


def _existing_header(job: Job) -> StoreHeader | None:
    """Return the header of the store if it is there; raises UserError if it was made with other settings."""
    if not job.target.is_file():
        return None
    try:
        header = Store(job.target).header
    except UserError:
        return None  # not a whole store: made again
    quality = None if job.source.is_dir() else job.recipe.quality
    wanted = (job.recipe.width or header.width, quality, job.source.name, _size(job.source))
    found = (header.width, header.quality, header.source, header.source_bytes)
    names = ("width", "quality", "source", "size of the source")
    other = [f"{n} {f}, not {a}" for n, a, f in zip(names, wanted, found, strict=True) if a != f]
    if other:
        raise UserError(f"{job.target}: is there already, made with {'; '.join(other)}; delete it to make it again")
    return header


def _header(job: Job, reader: JpegFolder | Video) -> StoreHeader:
    recipe = job.recipe
    if isinstance(reader, JpegFolder):
        height, width, quality = reader.height, reader.width, None
        if height != recipe.height or recipe.width not in (None, width):
            raise UserError(f"{job.source}: its images are {width}x{height}, and are copied as they are; "
                            f"give --height {height}")  # fmt: skip
        if reader.times.fps < recipe.fps:
            raise UserError(f"{job.source}: has {reader.times.fps} images per second; give --fps {reader.times.fps}")
    else:
        height, quality = recipe.height, recipe.quality
        width = recipe.width or even_width(height, reader.size())
    return StoreHeader(str(recipe.fps), height, width, quality, job.source.name, _size(job.source))


def _copy(folder: JpegFolder, numbers: Numbers, header: StoreHeader, writer: StoreWriter) -> None:
    """Add images as they are; raises UserError where one has another size."""
    for number in numbers.tolist():
        jpeg = folder.jpeg(number)
        try:
            height, width = simplejpeg.decode_jpeg_header(jpeg)[:2]
        except ValueError as error:
            raise UserError(f"{folder.file(number)}: not a JPEG image ({error})") from error
        if (height, width) != (header.height, header.width):
            raise UserError(f"{folder.file(number)}: is {width}x{height}, the first is "
                            f"{header.width}x{header.height}; extract the half again")  # fmt: skip
        writer.add(jpeg)


def _size(source: Path) -> int:
    return 0 if source.is_dir() else source.stat().st_size
