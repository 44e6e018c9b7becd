"""Set up training on a tree, draw an epoch and read a batch; print the costs as JSON; started by test_scale.py."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
from hydra import compose, initialize_config_dir

from spotter.cli.compose import prepare_hydra
from spotter.training.run import build_data, build_module
from tests.benchmarks.training_process import anonymous

SAMPLINGS = ("uniform", "balanced", "non_overlapping")


def main(root: str) -> None:
    """Measure CPU seconds and the growth of anonymous memory, in MB."""
    figures: dict[str, float] = {}

    def measure(name: str, work: Callable[[], object]) -> None:
        before, begin = anonymous(), time.process_time()
        kept = work()
        figures[f"{name}_s"], figures[f"{name}_mb"] = time.process_time() - begin, anonymous() - before
        del kept

    prepare_hydra()
    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        words = [f"data.root={root}", "data.batch_size=16", "data.num_workers=0", "run_dir=."]
        data = build_data(cfg := compose("train", ["model=transformer", "data=baidu", *words]))
    build_module(cfg, data)  # which makes the targets
    measure("setup", lambda: data.setup("fit"))
    measure("evaluation_clips", lambda: data.evaluation_clips("valid"))
    for sampling in SAMPLINGS:
        data.clips = replace(data.clips, sampling=sampling)
        measure(f"{sampling}_epoch", lambda: sum(map(len, data._training_batches())))  # kept by nobody
        measure(f"{sampling}_first_batch", lambda: next(iter(data.train_dataloader())))
    sys.stdout.write("\n" + orjson.dumps(figures).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
