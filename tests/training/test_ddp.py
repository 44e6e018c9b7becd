"""Several ranks: the same bytes and numbers as one, however the batches fall; training with two; never a hang."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest
import torch
from hydra import compose, initialize_config_dir

from spotter.cli.compose import prepare_hydra
from spotter.io.checkpoints import open_checkpoint
from spotter.training.module import SpottingModule
from spotter.training.run import build_data
from spotter.training.trainer import build_trainer
from tests.conftest import PROJECT, call, files_below, on_ranks, process
from tests.helpers.predicting import history


def predict(trained: Path, out: Path, world: int, *arguments: str) -> dict[str, bytes]:
    """Predict on ``world`` ranks and return every file that was written."""
    words = [f"ckpt={trained}/checkpoints/best.ckpt", f"out={out}", *arguments]
    if world == 1:
        called = call("predict.py", *words, "trainer=cpu", cwd=out.parent)
        assert called.status == 0, called.err
    else:
        words += ["trainer=ddp_cpu", f"trainer.devices={world}"]
        assert on_ranks(world, lambda: call("predict.py", *words, cwd=out.parent).status) == [0] * world
    return files_below(out)


@pytest.mark.parametrize("size", [3, 64], ids=["ranks share halves", "more ranks than batches"])
def test_split_gives_the_same_bytes(trained: Path, tmp_path: Path, size: int) -> None:
    """JSON, zip, raw scores and ``metrics.json`` of a split are the same for 1, 2 and 3 ranks."""
    one = predict(trained, tmp_path / "1", 1, f"data.batch_size={size}")
    assert {"metrics.json", "results_spotting.zip", "scores/scores.json"} < set(one)
    assert len(one) == 6  # and the JSON of one game, and the scores of its halves
    for world in (2, 3):
        assert predict(trained, tmp_path / str(world), world, f"data.batch_size={size}") == one


@pytest.mark.slow
def test_single_long_half_keeps_all_ranks_busy(trained: Path, tmp_path: Path) -> None:
    """One own file, cut into runs of its clips, is stitched to the same bytes."""
    file = tmp_path / "2_match.npy"
    np.save(file, np.random.default_rng(0).normal(size=(1000, 32)).astype(np.float16))
    words = (f"input={file}", "data.batch_size=4")
    one = predict(trained, tmp_path / "1", 1, *words)
    assert set(one) == {
        "2_match/results_spotting.json", "results_spotting.zip", "scores/2_match/2.npz", "scores/scores.json",
    }  # fmt: skip
    for world in (2, 3):
        assert predict(trained, tmp_path / str(world), world, *words) == one


@pytest.mark.slow
def test_validation_logs_the_same_on_every_rank(trained: Path, tiny: list[str], tmp_path: Path) -> None:
    """All of ``val/*``, the loss included, is the same to the bit for 1, 2 and 3 ranks, on each of them."""

    def validate(world: int, target: Path) -> int:
        words = [*tiny, "data.eval_batch_size=3", "run_dir=.", f"trainer={'ddp_cpu' if world > 1 else 'cpu'}"]
        prepare_hydra()
        with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
            cfg = compose("train", [*words, *([f"trainer.devices={world}"] if world > 1 else [])])
        for name in ("best", "last", "early_stopping", "history", "epoch_line", "ema"):
            cfg.callbacks[name] = None
        data, trainer = build_data(cfg), build_trainer(cfg)
        data.setup("fit")
        content = open_checkpoint(trained / "checkpoints" / "best.ckpt")
        module = SpottingModule(**content["hyper_parameters"])
        module.load_state_dict(content["state_dict"])
        data.targets = module.head.targets
        data.targets = module.head.targets
        (logged,) = trainer.validate(module, data, verbose=False)
        seen = {name: float(value).hex() for name, value in trainer.callback_metrics.items()}
        assert seen == {name: float(value).hex() for name, value in logged.items()}
        (target / f"{world}-{trainer.global_rank}.json").write_bytes(orjson.dumps(seen))
        return 0

    validate(1, tmp_path)
    one = orjson.loads((tmp_path / "1-0.json").read_bytes())
    assert {"val/loss", "val/tight_map", "val/map_at_1", "val/loose_ap/Throw-in"} < set(one)
    for world in (2, 3):
        assert on_ranks(world, lambda world=world: validate(world, tmp_path)) == [0] * world
        for rank in range(world):
            assert orjson.loads((tmp_path / f"{world}-{rank}.json").read_bytes()) == one


@pytest.mark.slow
def test_two_ranks_take_the_steps_of_one(tiny: list[str], tmp_path: Path) -> None:
    """The same numbers make as many steps on the same clips, whatever the number of devices."""
    words = [*(word for word in tiny if word != "trainer=cpu"), "model=linear"]  # without dropout and mixup
    losses, said = [], ""
    for world, where in ((1, "trainer=cpu"), (2, "trainer=ddp_cpu")):
        cwd = tmp_path / where
        cwd.mkdir()
        ended = on_ranks(world, lambda where=where, cwd=cwd: call("train.py", *words, where, cwd=cwd).status)
        assert ended == [0] * world
        (folder,) = cwd.glob("outputs/*/*")
        said = (folder / "run.log").read_text(encoding="utf-8")
        rows = history(folder)
        assert [row["step"] for row in rows] == ["4", "8"]
        losses.append([float(row["train/loss"]) for row in rows])
    assert losses[1] == pytest.approx(losses[0], rel=0.02)  # means over the valid frames of each rank
    assert "8 clips a step (4 at once on each of 2 devices), learning rate 0.005" in said


@pytest.fixture(scope="module")
def two_ranks(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that two ranks have trained, as a user starts it; it stops early."""
    cwd = tmp_path_factory.mktemp("two ranks")
    stops = ["callbacks.early_stopping.patience=1", "+callbacks.early_stopping.min_delta=1.0"]
    run = process(
        "train.py", *tiny, "trainer=ddp_cpu", "trainer.max_epochs=50", "model.clips.per_epoch=40", *stops, cwd=cwd
    )
    assert run.returncode == 0, run.stderr
    (folder,) = cwd.glob("outputs/*/*")
    return folder


def test_two_ranks_train_select_and_stop(two_ranks: Path) -> None:
    """Early stopping and the choice of the best work; every epoch stands once in ``metrics.csv``."""
    rows = history(two_ranks)
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert [row["step"] for row in rows] == ["5", "10"]  # 40 clips are five batches of 8, half of each on a rank
    best = torch.load(two_ranks / "checkpoints" / "best.ckpt", weights_only=True)
    assert rows[best["epoch"]]["val/tight_map"] == max(row["val/tight_map"] for row in rows)
    assert sorted(path.name for path in two_ranks.iterdir() if path.name != "run.log") == [
        ".hydra", "checkpoints", "cost.json", "metrics.csv", "metrics.json", "predictions", "report.html",
    ]  # fmt: skip


def test_one_rank_predicts_what_two_ranks_wrote(two_ranks: Path, tmp_path: Path) -> None:
    """The predictions that a run of two ranks leaves are those of its best weights on one rank."""
    assert predict(two_ranks, tmp_path / "1", 1, "split=valid") == files_below(two_ranks / "predictions" / "valid")


@pytest.mark.slow
def test_processes_predict_as_a_user_starts_them(trained: Path, tmp_path: Path) -> None:
    """``predict.py trainer=ddp_cpu`` starts its own processes, and writes the same bytes."""
    words = [f"ckpt={trained}/checkpoints/best.ckpt", "out=an odd = name", "trainer=ddp_cpu"]
    run = process("predict.py", *words, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert files_below(tmp_path / "an odd = name") == files_below(trained / "predictions" / "test")
    assert [path.name for path in tmp_path.iterdir()] == ["an odd = name"]
