"""Set up training on a tree, draw an epoch and read a batch; print the costs as JSON; started by test_scale.py."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
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
    for sampling in SAMPLINGS:
        with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
            words = [f"data.root={root}", f"model.clips.sampling={sampling}", "data.num_workers=0", "run_dir=."]
            cfg = compose("train", ["model=transformer", "data=baidu", "data.batch_size=16", *words])
        data = build_data(cfg)
        build_module(cfg, data)  # which makes the targets
        measure(f"{sampling}_setup", lambda data=data: data.setup("fit"))  # type: ignore[misc]
        measure(f"{sampling}_epoch", lambda data=data: list(data._training_batches()))  # type: ignore[misc]
        loader: Iterator = iter(data.train_dataloader())
        measure(f"{sampling}_batch", lambda loader=loader: next(loader))  # type: ignore[misc]
        measure(f"{sampling}_evaluation", lambda data=data: data.evaluation_clips("valid"))  # type: ignore[misc]
    sys.stdout.write("\n" + orjson.dumps(figures).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
