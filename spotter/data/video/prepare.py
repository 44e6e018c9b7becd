"""Make prepared stores: which ones a tree needs, one store from one half, and what making them all will cost."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import simplejpeg
from PIL import Image

from spotter.data.video.decode import Video
from spotter.data.video.find import VIDEOS, find_images, find_video, official_half
from spotter.data.video.index import duration_of, open_video
from spotter.data.video.jpegs import JpegFolder
from spotter.data.video.readers import even_width
from spotter.data.video.scale import Images, Scaler, upright_size
from spotter.data.video.store import Store, StoreHeader, StoreWriter, store_name
from spotter.data.video.times import Numbers
from spotter.errors import UserError
from spotter.io.files import atomic_file

QUALITY = 88  # about FFmpeg's -q:v 3
CHUNK = 64  # images
SAMPLED = 60  # images that an estimate rests on
CHECKED = 64  # images that are decoded again when a store is ready


@dataclass(frozen=True, slots=True)
class Recipe:
    """Say what stores are made like; ``width`` None keeps the shape of the image, rounded to an even number."""

    fps: Fraction
    height: int
    width: int | None = None
    quality: int = QUALITY


@dataclass(frozen=True, slots=True)
class Job:
    """Name a half's video, or its folder of JPEG images, and the store that is made of it."""

    source: Path
    target: Path
    recipe: Recipe
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Cost:
    """Say what making stores takes: seconds of one core, bytes on disk, number of images."""

    seconds: float
    disk: float
    images: int


def plan(src: Path, dst: Path, recipe: Recipe, games: Collection[str] | None = None) -> list[Job]:
    """Return a job for every half below ``src``, in order; ``games`` picks some.

    Of several videos of a half the one that is best for the height is taken. A video without an official name becomes
    half 1 of a game of its own, named by its folders and stem. Raises UserError when there is nothing to do.
    """
    if not src.is_dir():
        raise UserError(f"{src}: no such folder; give the root of a tree with videos")
    jobs: dict[Path, Job] = {}
    for folder in game_folders(src):
        where = dst / folder.relative_to(src)
        official = {number for name in os.listdir(folder) if (number := official_half(name))}
        for number in sorted(official | {n for n in range(1, 10) if find_images(folder, n)}):
            source = _source(folder, number, recipe)
            target = where / store_name(number, recipe.height, recipe.fps)
            jobs[target] = Job(source, target, recipe)
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in VIDEOS and not official_half(file.name) and not file.name.startswith("."):
                target = where / file.stem / store_name(1, recipe.height, recipe.fps)
                if target in jobs:
                    raise UserError(f"{jobs[target].source} and {file} differ only in their suffix; rename one")
                jobs[target] = Job(file, target, recipe)
    picked = [job for job in jobs.values() if games is None or job.target.parent.relative_to(dst).as_posix() in games]
    if not picked:
        of = "" if games is None else f" of its {len(games)} games"
        raise UserError(f"{src}: holds no video{of}; expected for example <league>/<season>/<game>/1_224p.mkv")
    return picked


def game_folders(root: Path) -> Iterator[Path]:
    """Yield the folders of a tree, in order; folders of JPEG images hold too many files to be looked through."""
    yield root
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and not (path / "000000.jpg").is_file():
            yield from game_folders(path)


def make(job: Job, tell: Callable[[int], None] = lambda images: None) -> tuple[StoreHeader, bool]:
    """Make one store and check it; ``tell`` hears of every few images that are ready.

    Returns its header, and whether it was there before. Raises UserError when the source cannot be read, or when
    there is a store that was made otherwise.
    """
    there = _there(job)
    if there is not None:
        return there, True
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
            tell(len(numbers))
        writer.finish(header, replaced)
    check(job.target, count)
    return Store(job.target).header, False


def encode(image: Images, quality: int) -> bytes:
    """Return an image as JPEG, with Huffman tables of its own: smaller, and sooner decoded."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
    return out.getvalue()


def check(path: Path, count: int) -> None:
    """Raise UserError unless a store holds ``count`` images and a sample of them decodes; a bad one is deleted."""
    store = Store(path)
    try:
        if store.header.count != count:
            raise UserError(f"{path}: holds {store.header.count} images, expected {count}; is the disk sound?")
        for number in np.unique(np.linspace(0, count - 1, CHECKED).astype(np.int64)):
            store.read(np.array([number]), np.empty((1, store.height, store.width, 3), np.uint8))
    except UserError:
        path.unlink()
        raise


def estimate(jobs: list[Job]) -> Cost:
    """Return what jobs will cost in all, from a few images of the first that can be read and the length of each."""
    seconds = disk = 0.0
    images = 0
    sample: tuple[float, float] | None = None
    for job in jobs:
        try:
            if job.source.is_dir():
                folder = JpegFolder(job.source)
                count = folder.times.frames(job.recipe.fps)
                disk += count * len(folder.jpeg(folder.times.count // 3))
            else:
                sample = sample or _sample(job)
                length = duration_of(job.source)
                count = int(length * job.recipe.fps) + 1
                seconds += length * sample[0]
                disk += count * sample[1]
            images += count
        except (UserError, OSError, av.FFmpegError):
            continue  # making the store says what is wrong with it
    return Cost(seconds, disk, images)


def _source(folder: Path, number: int, recipe: Recipe) -> Path:
    """Return what a half's store is best made from: images that are there already, else the video."""
    images, video = find_images(folder, number), find_video(folder, number, recipe.height)
    usable = images and (video is None or _fits(images, recipe))
    source = images if usable else video
    if source is None:
        raise UserError(f"{folder}: holds no video of half {number}")
    return source


def _fits(images: Path, recipe: Recipe) -> bool:
    """Tell whether a folder's images can be copied as they are."""
    try:
        folder = JpegFolder(images)
    except UserError:
        return False
    return (folder.height, recipe.width or folder.width) == (recipe.height, folder.width) and (
        folder.times.fps >= recipe.fps
    )


def _there(job: Job) -> StoreHeader | None:
    """Return the header of the store if it has been made before; raises UserError if it was made otherwise."""
    if not job.target.is_file():
        return None
    try:
        header = Store(job.target).header
    except UserError:
        return None  # not a whole store: made again
    quality = None if job.source.is_dir() else job.recipe.quality
    asked = (job.recipe.width or header.width, quality, job.source.name, _size(job.source))
    found = (header.width, header.quality, header.source, header.source_bytes)
    names = ("width", "quality", "source", "size of the source")
    other = [f"{n} {f}, not {a}" for n, a, f in zip(names, asked, found, strict=True) if a != f]
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
        there = reader.size()
        width = recipe.width or even_width(height, there)
    return StoreHeader(str(recipe.fps), height, width, quality, job.source.name, _size(job.source))


def _copy(folder: JpegFolder, numbers: Numbers, header: StoreHeader, writer: StoreWriter) -> None:
    """Add images as they are, once their size is known to be the one of all."""
    for number in numbers.tolist():
        jpeg = folder.jpeg(number)
        try:
            height, width = simplejpeg.decode_jpeg_header(jpeg)[:2]
        except ValueError as error:
            raise UserError(f"{folder.path / f'{number:06d}.jpg'}: not a JPEG image ({error})") from error
        if (height, width) != (header.height, header.width):
            raise UserError(f"{folder.path / f'{number:06d}.jpg'}: is {width}x{height}, the first is "
                            f"{header.width}x{header.height}; extract the half again")  # fmt: skip
        writer.add(jpeg)


def _size(source: Path) -> int:
    return 0 if source.is_dir() else source.stat().st_size


def _sample(job: Job) -> tuple[float, float]:
    """Return CPU seconds for a second of video, and bytes of an image, from a moment in the middle of it."""
    container, stream = open_video(job.source)
    with container:
        if container.duration:
            container.seek(container.duration // 3)
        began = time.process_time()
        frames = list(islice(container.decode(stream), SAMPLED))
        decoding = (time.process_time() - began) / max(1, len(frames))
        if not frames:
            raise UserError(f"{job.source}: nothing can be decoded from the middle on")
        height, width = upright_size(frames[0])
        image = np.empty((job.recipe.height, job.recipe.width or job.recipe.height * width // height, 3), np.uint8)
        scale, sizes = Scaler(), []
        began = time.process_time()
        for frame in frames[::5]:
            scale(frame, image)
            sizes.append(len(encode(image, job.recipe.quality)))
        packing = (time.process_time() - began) / len(sizes)
        rate = float(stream.average_rate or 25)
    return decoding * rate + packing * float(job.recipe.fps), float(np.mean(sizes))
