"""The rows of the table in docs/benchmarks.md: what is measured, against what, and the ratio that it may not pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Row:
    """Describe one comparison.

    what, against : the two ways, ours first
    at_most : ours / theirs beyond which it is a regression; None where the machine decides
    unit : of what is compared
    """

    what: str
    against: str
    at_most: float | None
    unit: str = "CPU s"

    def regressed(self, ratios: NDArray[np.float64]) -> bool:
        """Return whether three quarters of the pairs lie beyond the limit, which chance alone seldom does."""
        return self.at_most is not None and bool(np.quantile(ratios, 0.25) > self.at_most)


BARE = "`python -c 'import numpy'`"
TORCH = "`python -c 'import torch'`"
PLAIN = "regnety_002 of timm alone"
EFFICIENT = "tf_efficientnetv2_b0 of timm alone, its five stacks"
VIT = "vit_tiny_patch16_224 of timm alone, every second image"
GPU = "a step of 50 ms of a simulated GPU"
FORWARD = "forward of the training network"
HALF, BALL = "a half, 5,400 x 17 anchors", "a ball game, 67,500 x 2 anchors"
GREEDY = "argmax after argmax in NumPy"

ROWS = {
    "evaluate": Row("`spotter evaluate`, 30 games", "the official evaluator, tight and loose", 1 / 15),
    "average_map": Row("its metrics alone, from arrays in memory", "`average_mAP` of the official code", 1 / 100),
    "bootstrap": Row("two systems, 1,000 resamples of the games", "2,000 evaluations", 1 / 15),
    "report": Row("`report.html` of 100 games", "scoring the same predictions", 50),
    "nms_half": Row(f"hard suppression, {HALF}", GREEDY, 2),
    "soft_half": Row(f"soft suppression, {HALF}", GREEDY, 1 / 3),
    "nms_ball": Row(f"hard suppression, {BALL}", GREEDY, 1 / 3),
    "soft_ball": Row(f"soft suppression, {BALL}", GREEDY, 1 / 3),
    "clips": Row("64 clips of 50 rows of features, all columns", "slices of open memory maps, stacked", 1.5),
    "clips_columns": Row("64 clips of 50 rows of features, 384 columns", "slices of open memory maps, stacked", 4),
    "data_64": Row("reading, cutting, targets of 32 clips of 64 s", "the whole step of a small network", 0.1),
    "data_400": Row("reading, cutting, targets of 10 clips of 400 s", "the whole step of a small network", 0.1),
    "video": Row("clips of 64 images from a store", "JPEG files by torchvision", 1 / 1.8),
    "extract": Row("`spotter extract`, 20 s of video at 5 fps", "decoding it, and the bare network on its images", 1.1),
    "item": Row("training item of 2 x 100 images, mixed", "the reference's worker", 1 / 4),
    "item_crop": Row("training item of 2 x 100 images, cropped, mixed", "the reference's worker", 1 / 4),
    "step_none": Row("training step of 32 images, no shift, GRU", PLAIN, 1.15),
    "step_tsm": Row("training step of 32 images, TSM, GRU", PLAIN, 1.25),
    "step_gsm": Row("training step of 32 images, GSM, GRU (E2E-Spot)", PLAIN, 1.45),
    "step_memory": Row("peak memory of that step", PLAIN, 1.25, "MB"),
    "inference": Row("inference of E2E-Spot, 64 images", FORWARD, 1 / 1.2),
    "step_t_deed": Row("training step of 32 images, T-DEED", PLAIN, 1.6),
    "step_adaspot": Row("training step of 32 images, AdaSpot", PLAIN, 1.6),
    "step_baikulov": Row("training step of a window of 15 grey images, Baikulov", EFFICIENT, 1.35),
    "step_comedian": Row("training step of 32 images, COMEDIAN ViViT", VIT, 0.95),
    "infer_t_deed": Row("inference of T-DEED, 32 images", PLAIN, 1.25),
    "infer_adaspot": Row("inference of AdaSpot, 32 images", PLAIN, 1.35),
    "infer_baikulov": Row("inference of Baikulov, a window of 15 grey images", EFFICIENT, 1.25),
    "infer_comedian": Row("inference of COMEDIAN ViViT, 32 images", VIT, 1.2),
    "baikulov_cache": Row("Baikulov slid over 64 frames, each stack once", "window by window", 1 / 2.5),
    "decode_t_deed": Row("displacement of a ball game, 67,500 x 12 anchors", "a loop in Python", 1 / 10),
    "version": Row("`spotter --version`", BARE, 1),
    "help": Row("`spotter --help`", BARE, 1),
    "train_help": Row("`spotter train --help`", BARE, 2),
    "misspelt_model": Row("`spotter train` with a misspelt model, answered", TORCH, 1),
    "misspelt_key": Row("`spotter train` with a misspelt key, answered", TORCH, 1),
    "first_step": Row("`spotter train` on 550 games to the first step", "the same on 11 games", 1.4),
    "first_step_imports": Row("`spotter train` on 11 games to the first step", TORCH, 6),
    "gpu_features": Row("reading 64 clips of 200 rows of Baidu features, float16", GPU, None),
    "gpu_busy": Row("busy time of that GPU, two readers of features", "time that passes", None, "s"),
    "gpu_e2e": Row("reading 8 clips of 100 images of 398 x 224, cropped", GPU, None),
    "gpu_t_deed": Row("reading 4 clips of 100 images of 796 x 448", GPU, None),
    "memory": Row("memory that training on 550 games adds", "on 55 games", 1.25, "MB"),
}
