"""Video from end to end as a user runs it: train, resume, two ranks, predict a split and an own match."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest
import torch

from spotter.io.checkpoints import open_checkpoint
from tests.conftest import call, files_below, on_ranks
from tests.helpers.predicting import history, predict
from tests.helpers.videos import write_matches

RANDOM = ["model.mixup={alpha:0.2,probability:1.0}", "callbacks.ema.decay=0.9", "data.num_workers=1", "seed=3"]


@pytest.fixture(scope="module")
def matches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree in the layout of ball-2023: three matches of ten seconds with a spot every second or so."""
    return write_matches(tmp_path_factory.mktemp("matches"))


@pytest.fixture(scope="module")
def words(matches: Path) -> list[str]:
    """Return overrides of ``train.py`` for a run of seconds on ``matches``."""
    return [
        "model=e2e_spot",
        "data=ball",
        f"data.root={matches}",
        "data.fps=12.5",
        "data.size=[36,64]",
        "data.crop=[32,48]",
        "data.batch_size=2",
        "data.eval_batch_size=2",
        "data.num_workers=0",
        "model.network.backbone=regnety_002",
        "model.clips.clip_len=16",
        "model.clips.per_epoch=6",
        "model.pretrained=false",
        "trainer=cpu",
        "trainer.max_epochs=2",
        "logger=none",
    ]


@pytest.fixture(scope="module")
def run(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run."""
    cwd = tmp_path_factory.mktemp("video run")
    called = call("train.py", *words, *RANDOM, cwd=cwd)
    assert called.status == 0, called.err
    return next(cwd.glob("outputs/e2e_spot-ball/*"))


def spots(folder: Path, game: str) -> list[tuple[str, int, float]]:
    """Return label, position and confidence of a game's predictions."""
    content = orjson.loads((folder / game / "results_spotting.json").read_bytes())
    return [(each["label"], int(each["position"]), float(each["confidence"])) for each in content["predictions"]]


@pytest.mark.slow
def test_run_leaves_what_every_run_leaves(run: Path) -> None:
    """Scores of both labelled splits, predictions, and a checkpoint that knows its images."""
    forms = orjson.loads((run / "metrics.json").read_bytes())
    assert set(forms) == {"valid", "test"}
    assert {label for label, _, _ in spots(run / "predictions" / "test", "l/s/c")} == {"PASS", "DRIVE"}
    rows = history(run)
    assert all(float(row["train/loss"]) > 0 and 0 <= float(row["val/map_at_1"]) <= 1 for row in rows)
    source = open_checkpoint(run / "checkpoints" / "best.ckpt")["hyper_parameters"]["source"]
    assert {key: source[key] for key in ("kind", "fps", "size", "crop")} == {
        "kind": "video", "fps": 12.5, "size": [36, 64], "crop": [32, 48],
    }  # fmt: skip


@pytest.mark.slow
def test_stopped_run_goes_on_with_the_same_bits(
    run: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in the second epoch, then ``ckpt=``: crops, augmentation and mixup are drawn as if nothing was."""
    from spotter.training.module import SpottingModule

    step = SpottingModule.training_step

    def fails(self: SpottingModule, batch: object, batch_idx: int) -> torch.Tensor:
        if self.current_epoch == 1 and batch_idx == 1:
            raise OSError("the disk went away")
        return step(self, batch, batch_idx)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(SpottingModule, "training_step", fails)
        assert call("train.py", *words, *RANDOM, cwd=tmp_path).status == 1
    (last,) = tmp_path.glob("outputs/*/*/checkpoints/last.ckpt")
    called = call("train.py", f"ckpt={last}", cwd=tmp_path)
    assert called.status == 0, called.err
    assert (last.parents[1] / "metrics.csv").read_bytes() == (run / "metrics.csv").read_bytes()
    one, other = (open_checkpoint(path / "checkpoints" / "last.ckpt")["state_dict"] for path in (run, last.parents[1]))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_split_is_predicted_as_in_training(run: Path, tmp_path: Path) -> None:
    """The network that predicts is a faster one of the same numbers: the spots are those that training wrote."""
    predict(tmp_path, f"ckpt={run}/checkpoints/best.ckpt", "out=out", "trainer.precision=32-true")
    ours, theirs = spots(tmp_path / "out", "l/s/c"), spots(run / "predictions" / "test", "l/s/c")
    assert [each[:2] for each in ours] == [each[:2] for each in theirs]
    assert [each[2] for each in ours] == pytest.approx([each[2] for each in theirs], abs=1e-3)


def test_mirrored_images_may_be_seen_too(run: Path, tmp_path: Path) -> None:
    predict(tmp_path, f"ckpt={run}/checkpoints/best.ckpt", "out=out", "clips.flip=true", "trainer.precision=32-true")
    ours, theirs = spots(tmp_path / "out", "l/s/c"), spots(run / "predictions" / "test", "l/s/c")
    assert ours
    assert ours != theirs


@pytest.mark.slow
def test_bf16_is_for_those_who_ask_for_it(run: Path, tmp_path: Path) -> None:
    """Confidences move a little by it; where nothing is said a CPU computes in full precision."""
    words = [f"ckpt={run}/checkpoints/best.ckpt", "postprocess=nms", "postprocess.window=0"]
    predict(tmp_path, *words, "out=usual")
    predict(tmp_path, *words, "out=full", "trainer.precision=32-true")
    predict(tmp_path, *words, "out=half", "trainer.precision=bf16-mixed")
    assert files_below(tmp_path / "usual") == files_below(tmp_path / "full")
    half, full = spots(tmp_path / "half", "l/s/c"), spots(tmp_path / "full", "l/s/c")
    assert [each[:2] for each in half] == [each[:2] for each in full]
    off = [abs(a[2] - b[2]) for a, b in zip(half, full, strict=True)]
    assert 0 < max(off) < 0.05


@pytest.mark.slow
def test_any_number_of_ranks_and_workers_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    """A single match is cut between ranks."""
    words = [f"ckpt={run}/checkpoints/best.ckpt", "data.batch_size=2"]
    predict(tmp_path, *words, "out=1", "data.num_workers=0")
    predict(tmp_path, *words, "out=1w", "data.num_workers=2")
    more = [*words, "out=2", "trainer=ddp_cpu", "trainer.devices=2", "data.num_workers=1"]
    assert on_ranks(2, lambda: call("predict.py", *more, cwd=tmp_path).status) == [0, 0]
    one = files_below(tmp_path / "1")
    assert one == files_below(tmp_path / "1w") == files_below(tmp_path / "2")


@pytest.mark.slow
def test_two_ranks_score_one_network(words: list[str], tmp_path: Path) -> None:
    """Running statistics differ from rank to rank while training; scored and kept are those of the first."""

    def work() -> int:
        from spotter.training.module import SpottingModule

        step = SpottingModule.validation_step

        def noted(self: SpottingModule, batch: object, batch_idx: int) -> object:
            if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
                sums = [float(buffer.double().sum()) for buffer in self.network.buffers()]
                (tmp_path / f"rank {self.global_rank}.json").write_bytes(orjson.dumps(sums))
            return step(self, batch, batch_idx)  # type: ignore[arg-type]

        SpottingModule.validation_step = noted  # type: ignore[assignment,method-assign]
        more = ["trainer=ddp_cpu", "trainer.devices=2", "trainer.max_epochs=1", "callbacks.ema.decay=0.5"]
        return call("train.py", *words, *more, cwd=tmp_path).status

    assert on_ranks(2, work) == [0, 0]
    first, second = (orjson.loads((tmp_path / f"rank {rank}.json").read_bytes()) for rank in (0, 1))
    assert first == second


def test_own_match(run: Path, matches: Path, tmp_path: Path) -> None:
    """A video by any name, a part of it, with a table of what was found."""
    name = "it's a, match (1).mp4"
    shutil.copy(matches / "l/s/c/224p.mp4", tmp_path / name)
    shutil.copy(run / "checkpoints" / "best.ckpt", tmp_path / "best.ckpt")
    called = predict(tmp_path, "ckpt=best.ckpt", f"input={name}", "start=0:02", "end=8.5", "threshold=0.05", "out=out")
    found = spots(tmp_path / "out", name.removesuffix(".mp4"))
    assert found
    assert all(2000 <= position <= 8500 and confidence >= 0.05 for _, position, confidence in found)
    assert called.out.count("PASS") + called.out.count("DRIVE") == len(found)
    assert "frames/s" in called.err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("empty.mp4", b"", "empty.mp4"), ("text.mp4", b"no video" * 99, "text.mp4"), ("x.npy", b"", "x.npy")],
)
def test_what_is_no_video(run: Path, tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    called = call("predict.py", f"ckpt={run}/checkpoints/best.ckpt", f"input={name}", "trainer=cpu", cwd=tmp_path)
    assert called.status == 1
    assert called.err.count("\n") == 1
    assert said in called.err


@pytest.mark.slow
def test_fine_tuning_on_other_classes(run: Path, words: list[str], tmp_path: Path) -> None:
    """Every tensor but the classifier's is taken from a checkpoint of another task."""
    task = {"name": "one", "classes": ["PASS"], "label_file": "Labels-ball.json", "fps": 25, "monitor": "map_at_1"}
    (tmp_path / "one.yaml").write_bytes(orjson.dumps({**task, "halves": [1]}))
    called = call(
        "train.py", *words, "data.task=one.yaml", f"model.init_from={run}/checkpoints/best.ckpt",
        "trainer.max_epochs=1", cwd=tmp_path,
    )  # fmt: skip
    assert called.status == 0, called.err
    assert "left as they were: head.classes" in called.err


def test_no_weights_without_a_network(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ImageNet weights cannot be had, one line names both ways out, before a run begins."""
    from spotter.models.blocks import backbones

    monkeypatch.setattr(backbones, "reachable", lambda: False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nothing"))
    called = call("train.py", *words, "model.pretrained=true", cwd=tmp_path)
    assert called.status == 1
    assert "model.pretrained=false" in called.err
    assert "model.weights=FILE" in called.err


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_store_is_one_line(words: list[str], matches: Path, tmp_path: Path, workers: int) -> None:
    """What cannot be decoded is never shown as black: the run ends, and one line says which file, from a worker too."""
    from spotter.cli import main

    assert main(["prepare", "video", str(matches), str(tmp_path / "tree"), "--fps", "12.5", "--height", "36"]) == 0
    (store,) = (tmp_path / "tree" / "l" / "s" / "a").glob("*.frames")
    content = bytearray(store.read_bytes())
    content[100 : len(content) // 2] = bytes(len(content) // 2 - 100)
    store.write_bytes(content)
    more = [f"data.root={tmp_path}/tree", f"data.num_workers={workers}"]
    called = call("train.py", *words, *more, cwd=tmp_path)
    assert called.status == 1
    (line,) = [line for line in called.err.splitlines() if line.startswith("error: ")]
    assert str(store) in line
    assert "Traceback" not in called.err


def test_fine_tuning_recipe_asks_for_its_start(tmp_path: Path) -> None:
    """Without a checkpoint to start from, the recipe would silently train from random weights."""
    called = call("train.py", "experiment=ball_from_soccernet", f"data.root={tmp_path}", cwd=tmp_path)
    assert called.status == 2
    assert "give model.init_from=" in called.err
    assert called.err.count("\n") == 1


def test_store_of_another_height_is_named(words: list[str], matches: Path, tmp_path: Path) -> None:
    """Prepared images of another size are not reported as a missing video."""
    from spotter.cli import main

    assert main(["prepare", "video", str(matches), str(tmp_path / "tree"), "--fps", "12.5", "--height", "30"]) == 0
    called = call("train.py", *words, f"data.root={tmp_path}/tree", cwd=tmp_path)
    assert called.status == 1
    assert "30" in called.err
    assert "data.size=[30," in called.err
