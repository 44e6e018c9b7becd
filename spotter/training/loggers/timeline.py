"""An image of one half: its labelled spots and a model's predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from spotter.types import Half, HalfPredictions, Spots

ROW, LEFT, WIDTH, TOP, BOTTOM = 26, 160, 1400, 34, 26  # pixels
WHITE, INK, GREY, LINE, BLUE = (255,) * 3, (30,) * 3, (120,) * 3, (228,) * 3, (20, 90, 200)
MIN_CONFIDENCE = 0.02  # confidence that is still drawn


def draw_timeline(
    half: Half, seconds: float, spots: Spots, predictions: HalfPredictions, classes: Sequence[str]
) -> Image.Image:
    """Draw a row for each class: above the labelled spots, hollow where not shown, below what is predicted.

    A prediction is as dark as it is confident.
    """
    image = Image.new("RGB", (WIDTH, TOP + ROW * len(classes) + BOTTOM), WHITE)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    legend = "above: labels (hollow: not shown); below: predictions, as dark as they are confident"
    draw.text((8, 8), f"{half.game}, half {half.number}    {legend}", INK, font)
    bottom, scale = TOP + ROW * len(classes), (WIDTH - LEFT - 10) / max(seconds, 1.0)
    for minute in range(0, int(seconds / 60) + 1, 5 if seconds > 900 else 1):
        draw.line([(LEFT + 60 * minute * scale, TOP), (LEFT + 60 * minute * scale, bottom)], LINE)
        draw.text((LEFT + 60 * minute * scale, bottom + 4), f"{minute}'", GREY, font, anchor="ma")
    for row, name in enumerate(classes):
        draw.text((8, TOP + ROW * row + 6), name, INK, font)
        draw.line([(0, TOP + ROW * row), (WIDTH, TOP + ROW * row)], LINE)
    for row in np.argsort(predictions.confidence, kind="stable"):  # the most confident on top
        if predictions.confidence[row] >= MIN_CONFIDENCE:
            at, top = LEFT + predictions.time[row] * scale, TOP + ROW * int(predictions.label[row]) + 14
            shade = min(1.0, float(predictions.confidence[row]))
            colour = tuple(round(255 + shade * (channel - 255)) for channel in BLUE)
            draw.rectangle([at - 1, top, at + 1, top + ROW - 15], colour)
    for row in range(len(spots)):
        at, top = LEFT + spots.time[row] * scale, TOP + ROW * int(spots.label[row]) + 3
        draw.rectangle([at - 2, top, at + 2, top + 9], INK if spots.visible[row] else WHITE, INK)
    return image
