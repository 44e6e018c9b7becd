"""Train a few steps on a tree and print the memory it took, as JSON; started by ``test_memory.py``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import orjson
import torch
from hydra import compose, initialize_config_dir

from spotter.cli.compose import prepare_hydra
from spotter.training.run import build_data, build_module
from spotter.types import Half, HalfRecord, Spots

MB = 1024.0  # /proc counts in kB
STEPS = 12


def anonymous() -> float:
    """Return the process's anonymous memory in MB."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return int(found[1]) / MB if found else 0.0


def main(root: str) -> None:
    """Measure the memory of imports, network and one batch, then that of setup and training."""
    prepare_hydra()
    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        words = [f"data.root={root}", "data.batch_size=16", "data.num_workers=0", "run_dir=."]
        words += ["model.network.dim=32", "model.network.heads=4", "model.network.layers=1"]
        cfg = compose("train", ["model=transformer", "data=baidu", *words])
    data = build_data(cfg)
    module = build_module(cfg, data)
    optimizer = torch.optim.AdamW(module.parameters())

    def step(batch: dict) -> None:
        loss = module.head.loss(module(module.system.prepare(batch)), batch)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    class Nowhere:
        fps = 1.0

        def offset(self, half: object) -> float:
            return 0.0

        def read(self, halves: object, clips: list, clip_len: int) -> tuple[dict, dict]:
            shape = (len(clips), clip_len, 8576)
            return {"baidu": torch.zeros(shape, dtype=torch.float32)}, {"baidu": torch.zeros(len(clips))}

    data.source, source = Nowhere(), data.source  # type: ignore[assignment]
    data.records["train"] = [HalfRecord(Half("game", 1), 5000, Spots.empty())]
    step(next(iter(data.train_dataloader())))
    base, data.source, data.records = anonymous(), source, {}

    data.setup("fit")
    peak = 0.0
    for _, batch in zip(range(STEPS), data.train_dataloader(), strict=False):
        step(batch)
        peak = max(peak, anonymous())
    with torch.no_grad():
        for _, batch in zip(range(STEPS), data.val_dataloader(), strict=False):
            module(module.system.prepare(batch))
            peak = max(peak, anonymous())
    figures = {"training_mb": peak - base, "halves": sum(map(len, data.records.values()))}
    sys.stdout.write("\n" + orjson.dumps(figures).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
