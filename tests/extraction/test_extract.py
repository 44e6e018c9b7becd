"""Feature files of videos: rows at their exact times, whole, resumable, and with their maker's name."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import orjson
import pytest
import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from spotter.data.pca import Pca
from spotter.errors import UserError
from spotter.extraction.backbones import FrameBackbone
from spotter.extraction.frames import VideoFrames, View
from spotter.extraction.pca import fit_pca
from spotter.extraction.write import Extractor
from spotter.inference.engine import Compute
from spotter.inference.model import HalfScores, load_model
from tests.conftest import PROJECT, Called, call
from tests.helpers.videos import damage, numbers_of, write_video

SMALL = View((64, 96), "whole", (0, 0, 0), (1, 1, 1))
CHECKPOINTS = PROJECT / "tests/fixtures/v0_1"
NETWORK = "resnet10t"


class Seen(nn.Module):
    """Remember the images that it gets, and return what they show."""

    num_features = 1

    def __init__(self) -> None:
        super().__init__()
        self.images = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return the number that an image carries, (N, 1)."""
        self.images += len(x)
        pixels = (255 * x).round().byte().permute(0, 2, 3, 1).numpy()
        return torch.tensor(numbers_of(pixels), dtype=torch.float32)[:, None]


def backbone(**changes: bool) -> FrameBackbone:
    return FrameBackbone("seen", Seen(), SMALL, Compute(batch_size=4), **changes)


@pytest.mark.parametrize("fps", [Fraction(2), Fraction(25), Fraction(25, 12), Fraction(3)])
@pytest.mark.parametrize("count", [1, 24, 51, 101])
def test_row_i_is_the_image_at_i_over_fps_and_each_image_is_seen_once(
    tmp_path: Path, fps: Fraction, count: int
) -> None:
    path = write_video(tmp_path / "match.mp4", count)
    seen = backbone()
    rows = Extractor(seen, fps).rows(path)
    assert len(rows) == -(-count * fps // 25), "the length times the rate, rounded up"
    times = [float(i / fps) * 25 for i in range(len(rows))]
    assert all(abs(number - min(time, count - 1)) <= 0.5 for number, time in zip(rows[:, 0], times, strict=True))
    assert seen.network.images == len(rows)  # type: ignore[comparison-overlap]


def test_images_that_cannot_be_decoded_are_named_or_left_without_numbers(tmp_path: Path) -> None:
    path = damage(write_video(tmp_path / "match.mp4", 250, options={"crf": "1"}), 0.4, 0.5)
    with pytest.raises(UserError, match=r"match.mp4: \d+ of 250 frames cannot be decoded, from 00:0"):
        Extractor(backbone(), Fraction(25)).rows(path)
    rows = Extractor(backbone(stop=False), Fraction(25)).rows(path)[:, 0]
    missing = np.isnan(rows)
    assert 0 < missing.sum() < 100
    assert (rows[~missing] == np.arange(250)[~missing]).all()


def test_what_of_an_image_is_seen(tmp_path: Path) -> None:
    path = write_video(tmp_path / "match.mp4", 2, size=(64, 128))
    (centre, _), (whole, _) = (
        next(VideoFrames(path, Fraction(25), View((32, 32), crop, (0, 0, 0), (1, 1, 1))).chunks(2))
        for crop in ("centre", "whole")
    )
    assert centre.shape[1:3] == (32, 64)
    assert whole.shape[1:3] == (32, 32)
    view = View((32, 32), "centre", (0, 0, 0), (1, 1, 1))
    middle = view(torch.from_numpy(centre))
    assert middle.shape == (2, 3, 32, 32)
    assert torch.equal(middle[0, 0], torch.from_numpy(centre)[0, :, 16:48, 0] / 255)
    normal = View((32, 32), "whole", (0.5, 0.5, 0.5), (0.25, 0.5, 1.0))(torch.from_numpy(whole))
    assert torch.allclose(normal[:, 0], (torch.from_numpy(whole)[..., 0] / 255 - 0.5) / 0.25)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(timm.create_model(NETWORK, num_classes=0).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for game in ("l/s/a", "l/s/b"):
        for half in (1, 2):
            write_video(root / game / f"{half}_224p.mp4", 60)
    (root / "l/s/a" / "Labels-v2.json").write_text('{"UrlLocal": "l/s/a", "annotations": []}')
    (root / "splits.json").write_bytes(
        orjson.dumps({"train": ["l/s/a"], "valid": ["l/s/b"], "test": [], "challenge": []})
    )
    return root


def extract(weights: Path, cwd: Path, *words: str, env: dict[str, str] | None = None) -> Called:
    given = ("--backbone", NETWORK, "--weights", str(weights), "--device", "cpu")
    return call("extract", *words, *given, cwd=cwd, env=env)


def read(path: Path) -> NDArray[np.float16]:
    rows: NDArray[np.float16] = np.load(path, allow_pickle=False)
    return rows


def test_a_tree_becomes_a_tree_of_features(weights: Path, tree: Path, tmp_path: Path) -> None:
    said = extract(weights, tmp_path, str(tree), "out", "--fps", "5", "--context", "1")
    assert said.status == 0, said.err
    assert said.out == "out: 4 halves extracted, 0 were there, 512 columns, 5 rows a second\n"
    out = tmp_path / "out"
    rows = read(out / "l/s/a" / f"1_{NETWORK}.npy")
    assert (rows.shape, rows.dtype) == ((12, 512), np.float16)
    about = orjson.loads((out / "l/s/a" / f"1_{NETWORK}.json").read_bytes())
    assert {key: about[key] for key in ("fps", "offset", "width", "rows", "not_finite")} == {
        "fps": "5", "offset": 0.0, "width": 512, "rows": 12, "not_finite": 0,
    }  # fmt: skip
    assert about["extractor"]["backbone"] == NETWORK
    assert (out / "splits.json").read_bytes() == (tree / "splits.json").read_bytes()
    assert (out / "l/s/a" / "Labels-v2.json").is_file()
    again = extract(weights, tmp_path, str(tree), "out", "--fps", "5", "--context", "1")
    assert again.out.startswith("out: 0 halves extracted, 4 were there")
    other = extract(weights, tmp_path, str(tree), "out", "--fps", "5")
    assert (other.status, "give another --name" in other.err) == (1, True)
    exact = extract(weights, tmp_path, str(tree), "out", "--fps", "5", "--context", "1", "--dtype", "float32")
    assert (exact.status, "was made another way, by dtype float16" in exact.err) == (1, True)


def test_processes_share_the_halves_and_write_the_same(weights: Path, tree: Path, tmp_path: Path) -> None:
    assert extract(weights, tmp_path, str(tree), "one").status == 0
    for rank in ("0", "1"):
        said = extract(weights, tmp_path, str(tree), "two", env={"RANK": rank, "WORLD_SIZE": "2"})
        assert said.out.startswith("two: 2 halves extracted")
    for path in (tmp_path / "one").rglob("*.npy"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_principal_components_of_the_training_split(weights: Path, tree: Path, tmp_path: Path) -> None:
    said = extract(weights, tmp_path, str(tree), "out", "--pca", "3", "--dtype", "float32")
    assert said.status == 0, said.err
    reduced = Pca.load(tmp_path / "out" / f"{NETWORK}_pca3.npz")
    rows = read(tmp_path / "out/l/s/b" / f"1_{NETWORK}.npy")
    assert read(tmp_path / "out/l/s/b" / f"1_{NETWORK}_pca3.npy") == pytest.approx(reduced(rows), abs=1e-5)
    train = np.concatenate([read(tmp_path / "out/l/s/a" / f"{half}_{NETWORK}.npy") for half in (1, 2)])
    assert reduced.mean == pytest.approx(train.mean(0), abs=1e-5)
    alone = extract(weights, tmp_path, str(tree / "l/s/b/1_224p.mp4"), "alone", "--pca", f"out/{NETWORK}_pca3.npz",
                    "--dtype", "float32")  # fmt: skip
    assert alone.status == 0, alone.err
    assert read(tmp_path / "alone/1_224p" / f"1_{NETWORK}_pca3.npy") == pytest.approx(reduced(rows), abs=1e-4)
    kept = tmp_path / "alone" / f"{NETWORK}_pca3.npz"
    before = kept.read_bytes()
    assert before, "which a head on these features keeps"
    Pca(reduced.mean, -reduced.components).save(tmp_path / "other.npz")
    other = extract(weights, tmp_path, str(tree / "l/s/b/2_224p.mp4"), "alone", "--pca", "other.npz")
    assert (other.status, f"{NETWORK}_pca3.npz: holds other components" in other.err) == (1, True)
    assert kept.read_bytes() == before
    for path in (tmp_path / "out").rglob("*.npy"):
        path.unlink()
    again = extract(weights, tmp_path, str(tree), "out", "--pca", "3", "--crop", "whole")
    assert (again.status, "was learned on other features" in again.err) == (1, True)
    assert not list((tmp_path / "out").rglob("*.npy"))


def test_a_checkpoint_gives_what_it_makes_of_frames_before_its_head(tmp_path: Path) -> None:
    path = write_video(tmp_path / "match.mp4", 60)
    words = ("match.mp4", "out", "--fps", "2", "--device", "cpu", "--dtype", "float32")
    said = call("extract", *words, "--backbone", str(CHECKPOINTS / "e2e_spot.ckpt"), cwd=tmp_path)
    assert said.status == 0, said.err
    rows = read(tmp_path / "out/match/1_e2e_spot.npy")
    model = load_model(CHECKPOINTS / "e2e_spot.ckpt", "cpu")
    width, step = model.system.network.width, round(model.fps / 2)
    assert rows.shape == (5, width)
    with torch.inference_mode():
        logits = model.system.head.predict(model.system.head(torch.from_numpy(rows)[None]))["logits"][0]
    scores = model.scores(path, progress=False)
    assert isinstance(scores, HalfScores)
    assert torch.sigmoid(logits).numpy() == pytest.approx(scores.confidences[::step][:5], abs=0.05)
    of_features = call("extract", *words, "--backbone", str(CHECKPOINTS / "linear.ckpt"), cwd=tmp_path)
    assert "this checkpoint reads features" in of_features.err


@pytest.mark.parametrize(("begin", "end"), [(0.4, 0.5), (0.3, 0.9)])
def test_what_a_checkpoint_cannot_see_is_named_or_left_out(tmp_path: Path, begin: float, end: float) -> None:
    """Where neighbours are shown instead, and where there are none for seconds."""
    damage(write_video(tmp_path / "match.mp4", 750, options={"crf": "1"}), begin, end)
    words = ("match.mp4", "out", "--fps", "2", "--device", "cpu", "--backbone", str(CHECKPOINTS / "e2e_spot.ckpt"))
    said = call("extract", *words, cwd=tmp_path)
    assert said.status == 1
    assert "can be decoded" in said.err.splitlines()[-1] or "cannot be decoded" in said.err.splitlines()[-1]
    said = call("extract", *words, "--on-error", "nan", cwd=tmp_path)
    assert said.status == 0, said.err
    missing = np.isnan(read(tmp_path / "out/match/1_e2e_spot.npy")).all(1)
    assert (end - begin) * 60 - 6 < missing.sum() < (end - begin) * 60 + 6
    assert not missing[0]


def test_components_are_those_of_all_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(9000, 6)).astype(np.float32) @ np.diag([9, 5, 3, 1, 0.5, 0.1])
    found = fit_pca([rows[:5000], rows[5000:]], 2)
    values = np.linalg.svd(rows - rows.mean(0), full_matrices=False)[2][:2]
    assert np.abs(found.components @ values.T) == pytest.approx(np.eye(2), abs=0.02)
    with pytest.raises(UserError, match="the features have 6 columns"):
        fit_pca([rows], 7)
    with pytest.raises(UserError, match="has 3 rows, fewer than 4"):
        fit_pca([rows[:3]], 4)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--fps", "0"], "--fps"),
        (["--pca", "no.npz"], "no.npz"),
        (["--pca", "0"], "--pca: expected at least 1 column"),
        (["--pca", "²"], "no file '²'"),
        (["--pca", "513"], "--pca: the features have 512 columns, fewer than 513"),
        (["--device", "foo"], "device: no 'foo' here"),
        (["--backbone", "resnet10x"], "timm has no 'resnet10x'"),
        (["--backbone", "no.ckpt"], "--backbone: no file 'no.ckpt'"),
        (["--name", "../up"], "--name: expected letters"),
        (["--context", "-1"], "--context"),
        (["--batch-size", "0"], "--batch-size"),
    ],
)
def test_wrong_words_are_named(weights: Path, tree: Path, tmp_path: Path, words: list[str], expected: str) -> None:
    said = extract(weights, tmp_path, str(tree), "out")
    given = ["--backbone", NETWORK, "--weights", str(weights), *words]
    said = call("extract", str(tree), "out2", *given, cwd=tmp_path)
    assert said.status in (1, 2)
    assert expected in said.err
    shutil.rmtree(tmp_path / "out")
