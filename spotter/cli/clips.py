"""Cut a clip out of the video for every spot, and one reel of them all.

PREDICTIONS is of one match, in any form that spotter convert reads: official JSON, OSL JSON, CSV, or a folder or zip
with one game; labels do, too. VIDEO is the file of the match, or one for each half, named 1_… and 2_… or in order;
where PREDICTIONS say where halves lie in one file, or --periods does, that file.

  spotter clips results_spotting.json match.mp4 clips --classes Goal,Corner --threshold 0.5
  spotter clips found.csv 1_720p.mkv 2_720p.mkv clips --before 8 --after 4 --burn-in

OUT gets a file for each spot, named by half, time, class and confidence, and reel.mp4, which shows no moment twice.
Clips are copied where the video has a keyframe within 0.2 s of their start, and else encoded.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spotter.cli.options import parse_fraction
from spotter.cli.out_folder import check_folder
from spotter.data.video.cut import Cutter, Movie
from spotter.data.video.find import find_videos, official_half
from spotter.data.video.scale import Images
from spotter.errors import UsageError, UserError, did_you_mean, plural
from spotter.io.exchange.collection import Collection, Row, Video
from spotter.io.exchange.files import at_least, read_collection
from spotter.io.exchange.subtitles import AFTER, BEFORE, describe
from spotter.io.files import atomic_file
from spotter.io.periods import parse_periods
from spotter.progress import ProgressDisplay
from spotter.types import Period

log = logging.getLogger(__name__)
REEL = "reel.mp4"


@dataclass(frozen=True)
class Moment:
    """Hold a spot that is cut out.

    time : seconds of the file
    row : the event, timed from the start of the half
    caption : the same in a line
    """

    half: int
    time: float
    row: Row
    caption: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("predictions", metavar="PREDICTIONS", help="predictions or labels of one match, see above")
    parser.add_argument("video", metavar="VIDEO", nargs="+", type=Path, help="the match, or its halves")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder of the clips")
    parser.add_argument("--before", type=float, default=5.0, help="seconds before a spot (default: %(default)s)")
    parser.add_argument("--after", type=float, default=5.0, help="seconds after it (default: %(default)s)")
    parser.add_argument("--classes", metavar="A,B", help="cut these classes only")
    parser.add_argument(
        "--threshold", type=parse_fraction, default=0.5, help="lowest confidence (default: %(default)s)"
    )
    parser.add_argument("--periods", metavar="TIMES", help="where halves lie in VIDEO: 1:01-47:30,1:03:10-1:51:00")
    parser.add_argument("--burn-in", action="store_true", help="write time and class into the image around each spot")


def run(arguments: argparse.Namespace) -> int:
    """Cut all clips and the reel, and say how many were copied."""
    if arguments.before < 0 or arguments.after < 0 or arguments.before + arguments.after == 0:
        raise UsageError("--before, --after: give seconds from 0 up, not both 0")
    check_folder(arguments.out, "OUT")
    collection = read_collection(arguments.predictions)
    games = sorted({video.half.game for video in collection.videos})
    if len(games) > 1:
        raise UserError(
            f"{arguments.predictions}: holds {len(games)} games: give the predictions of one, as {games[0]}"
        )
    cutters = {path: Cutter(path) for path in dict.fromkeys(arguments.video)}
    chosen = at_least(_choose(collection, arguments.classes), arguments.threshold).videos
    if not any(video.rows for video in chosen):
        raise UserError(
            f"{arguments.predictions}: no spot reaches --threshold={arguments.threshold:g}: give a lower one"
        )
    if arguments.periods:
        chosen = _with_periods(chosen, parse_periods(arguments.periods))
    moments = _place(chosen, cutters, {video.half.number for video in collection.videos if video.rows})
    counts = cut_clips(arguments.out, moments, arguments.before, arguments.after, arguments.burn_in)
    sys.stdout.write(
        f"{arguments.out}: {plural(counts['clips'], 'clip')}, {counts['copied']} of them copied, and {REEL}\n"
    )
    return 0


def cut_clips(
    out: Path, moments: Mapping[Cutter, Sequence[Moment]], before: float, after: float, burn_in: bool
) -> Counter[str]:
    """Write a clip for each moment, and a reel of all, to ``out``; count ``clips`` and those that were ``copied``."""
    counts, names = Counter[str](), Counter[str]()
    sounds = {cutter.sound for cutter in moments}
    first = next(iter(moments))
    if any(sounds) and (None in sounds or len(sounds) > 1):
        log.info("%s: without sound, which is not the same in all files, or none that can be copied", REEL)
    total = sum(map(len, moments.values()))
    with (
        ProgressDisplay(total, "clips") as display,
        atomic_file(out / REEL) as file,
        Movie(file, first, sound=len(sounds) == 1 and None not in sounds) as reel,
    ):
        for cutter, each in moments.items():
            shown = 0.0
            for moment in each:
                start, end = max(0.0, moment.time - before), min(cutter.duration, moment.time + after)
                path = out / _name(moment, names)
                copied = not burn_in and cutter.copy(start, end, path)
                captions = each if burn_in else ()
                _write(cutter, start, end, captions, reel, shown, None if copied else path)
                shown = max(shown, end)
                counts.update(clips=1, copied=int(copied))
                display.update(counts["clips"] / total)
    return counts


def _write(
    cutter: Cutter, start: float, end: float, captions: Sequence[Moment], reel: Movie, shown: float, path: Path | None
) -> None:
    """Append a stretch to the reel, except for what it has ``shown``, and write it to ``path``, unless that is None."""
    begin = max(start, shown)
    with ExitStack() as stack:
        clip = None
        if path is not None:
            file = stack.enter_context(atomic_file(path))
            clip = stack.enter_context(Movie(file, cutter, sound=cutter.sound is not None))
        elif begin >= end:
            return
        for seconds, image in cutter.images(start if clip else begin, end):
            _burn(image, seconds, captions)
            if clip is not None:
                clip.add(image, seconds - start)
            if seconds >= begin:
                reel.add(image, seconds - begin)
        if clip is not None:
            clip.end_stretch(cutter, start, end)
        if begin < end:
            reel.end_stretch(cutter, begin, end)


def _burn(image: Images, seconds: float, captions: Iterable[Moment]) -> None:
    """Write into an image what happens around it."""
    lines = [each.caption for each in captions if -BEFORE <= 1000 * (seconds - each.time) < AFTER]
    if not lines:
        return
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(image)
    draw, size = ImageDraw.Draw(picture), max(10, image.shape[0] // 16)
    font, at, text = ImageFont.load_default(size), (size // 2, size // 2), "\n".join(lines)
    left, top, right, bottom = draw.multiline_textbbox(at, text, font)
    draw.rectangle((left - size // 4, top - size // 4, right + size // 4, bottom + size // 4), fill="black")
    draw.multiline_text(at, text, fill="white", font=font)
    image[:] = np.asarray(picture)


def _choose(collection: Collection, classes: str | None) -> Collection:
    """Return a collection with the events of some classes; raises UsageError for unknown ones."""
    if classes is None:
        return collection
    known, wanted = collection.named_classes(), [name.strip() for name in classes.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            raise UsageError(f"--classes: {name!r} is none of PREDICTIONS{did_you_mean(name, known)}")
    videos = [replace(video, rows=[row for row in video.rows if row["label"] in wanted]) for video in collection.videos]
    return replace(collection, videos=videos)


def _with_periods(videos: Sequence[Video], periods: Mapping[int, Period]) -> list[Video]:
    """Return halves that lie in one file; raises UserError for one of which it is not known where."""
    for number in sorted({video.half.number for video in videos if video.rows} - set(periods)):
        raise UserError(f"--periods: PREDICTIONS have spots of half {number}: say where it lies, too")
    return [replace(video, period=periods[video.half.number]) for video in videos if video.half.number in periods]


def _place(
    videos: Sequence[Video], cutters: Mapping[Path, Cutter], known: AbstractSet[int]
) -> dict[Cutter, list[Moment]]:
    """Return what is cut from each file, by time; what no file shows is counted in a warning.

    known : the halves of all spots, of which some classes or confidences may have been chosen
    """
    halves, lost = _files_of_halves(cutters), Counter[str]()
    if len(cutters) == len(known) == 1 and official_half(next(iter(cutters)).name) is None:
        halves = dict.fromkeys(known, next(iter(cutters.values())))
    found: dict[Cutter, list[Moment]] = {}
    for video in sorted(videos, key=lambda each: each.half):
        number = video.half.number
        cutter = halves.get(number) if video.period is None else _file_of_match(video, cutters)
        for row in sorted(video.rows, key=lambda each: int(each["position"])):
            time = (video.start + row["position"]) / 1000
            if cutter is None:
                lost[f"half {number} has no VIDEO"] += 1
            elif time >= cutter.duration:
                lost[f"{cutter.path.name} ends before them"] += 1
            elif video.period is not None and time >= video.period.end:
                lost[f"half {number} ends before them"] += 1
            else:
                caption = describe(row, number if video.period else 0)
                found.setdefault(cutter, []).append(Moment(number, max(0.0, time), row, caption))
    for reason, count in lost.items():
        log.warning("%s left out: %s", plural(count, "spot"), reason)
    if not found:
        raise UserError("VIDEO: shows none of these spots: give a file for each half, named 1_… and 2_…, or in order")
    return found


def _file_of_match(video: Video, cutters: Mapping[Path, Cutter]) -> Cutter | None:
    """Return the file that holds several periods, this one among them: the only one, or that of its name."""
    names = {video.half.game.rpartition("/")[2], *(Path(str(each.get("path"))).stem for each in video.inputs)}
    named = [cutter for path, cutter in cutters.items() if len(cutters) == 1 or path.stem in names]
    return named[0] if named else None


def _files_of_halves(cutters: Mapping[Path, Cutter]) -> dict[int, Cutter]:
    """Return the file of each half: by its name, or in the order given where names do not tell them apart."""
    named = {official_half(path.name) or find_videos(path)[0][0].number: each for path, each in cutters.items()}
    return named if len(named) == len(cutters) else dict(enumerate(cutters.values(), start=1))


def _name(moment: Moment, names: Counter[str]) -> str:
    """Return the name of a clip's file: half, time, class, confidence; the same once more has a number."""
    row = moment.row
    minutes, seconds = divmod(max(0, int(row["position"])) // 1000, 60)
    words = [f"{moment.half}_{minutes:03d}-{seconds:02d}", row["label"], *([row["team"]] if row.get("team") else [])]
    words += [f"{float(row['confidence']):.2f}"] if row.get("confidence") is not None else []
    name = "_".join(re.sub(r"[^\w.]+", "-", str(word)).strip("-") for word in words)
    names[name] += 1
    return f"{name}{f'_{names[name]}' if names[name] > 1 else ''}.mp4"
