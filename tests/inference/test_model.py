"""The Python API: a checkpoint predicts files, folders and arrays as the command does, without Lightning."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
import torch
import torch.distributed as dist

import spotter
from spotter.errors import UserError
from spotter.inference.model import HalfScores, Model, load_model
from spotter.predictions import Predictions
from spotter.types import Half
from tests.conftest import call, on_ranks
from tests.fixtures.make_v0_1 import FOLDER
from tests.helpers.videos import write_video

VIDEO = FOLDER / "e2e_spot.ckpt"


@pytest.fixture(scope="module")
def model(trained: Path) -> Model:
    """Return the model of a run."""
    return load_model(trained, device="cpu", precision="32")


@pytest.fixture
def half(tree: Path) -> Path:
    """Return one half's features."""
    return sorted(tree.rglob("2_*.npy"))[-1]


def same(some: Predictions, others: Predictions) -> bool:
    """Return whether two predictions are the same, except for the names of the games."""
    pairs = zip(some.values(), others.values(), strict=True)
    return all(
        np.array_equal(getattr(a, name), getattr(b, name)) for a, b in pairs for name in ("label", "time", "confidence")
    )


def test_predicts_as_the_command_does(model: Model, trained: Path, half: Path, tmp_path: Path) -> None:
    """The same bytes from the same file, for a checkpoint and for the folder of its run."""
    (tmp_path / "2_derby.npy").write_bytes(half.read_bytes())
    called = call("predict.py", f"ckpt={trained}/checkpoints/best.ckpt", "input=2_derby.npy", "out=out", cwd=tmp_path)
    assert called.status == 0, called.err
    model.predict(tmp_path / "2_derby.npy").to_json(tmp_path / "mine.json")
    expected = (tmp_path / "out" / "2_derby" / "results_spotting.json").read_bytes()
    assert (tmp_path / "mine.json").read_bytes() == expected
    again = spotter.load(trained / "checkpoints" / "best.ckpt", device="cpu").predict(str(tmp_path / "2_derby.npy"))
    again.to_json(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == expected


def test_files_folders_and_arrays(model: Model, half: Path, tmp_path: Path) -> None:
    """What is predicted does not depend on how it is given."""
    (tmp_path / "own").mkdir()
    for name in ("1_a.npy", "2_a.npy"):
        (tmp_path / "own" / name).write_bytes(half.read_bytes())
    features = np.load(half)
    folder = model.predict(tmp_path / "own")
    files = model.predict([tmp_path / "own" / "1_a.npy", str(tmp_path / "own" / "2_a.npy")])
    arrays = model.predict([features, features], fps=1)
    assert list(folder) == list(files) == [Half("1_a", 1), Half("2_a", 2)]
    assert list(arrays) == [Half("features", 1), Half("features", 2)]
    assert same(folder, files)
    assert same(folder, arrays)
    assert same(model.predict(torch.from_numpy(features), "1"), model.predict(half))
    assert len(folder.to_frame()) == sum(map(len, folder.values()))


def test_part_threshold_and_suppression(model: Model, half: Path) -> None:
    """Times stay those of the half; a threshold and another suppression leave other spots."""
    part = model.predict(half, start="1:00", end=150)
    (spots,) = part.values()
    assert len(spots)
    assert spots.time.min() >= 60
    assert spots.time.max() <= 150
    (most,), (some,) = model.predict(half).values(), model.predict(half, threshold=0.01).values()
    assert 0 < len(some) < len(most)
    assert some.confidence.min() >= 0.01
    assert model.system.postprocess.threshold != 0.01, "settings of a call are not kept"
    (wide,) = model.predict(half, postprocess={"method": "nms", "window": 200}).values()
    assert len(wide) < len(most)


def test_scores_are_what_predictions_come_from(model: Model, half: Path) -> None:
    """Before suppression there is a confidence for each anchor and class; the best of a class is predicted."""
    scores = model.scores(half)
    assert isinstance(scores, HalfScores)
    anchors = len(np.load(half))
    assert scores.half.number == 2
    assert scores.classes == model.classes
    assert scores.times.tolist() == list(range(anchors))
    assert scores.confidences.shape == (anchors, len(model.classes))
    assert scores.displacements is None
    (spots,) = model.predict(half).values()
    for label in range(len(model.classes)):
        best = spots.confidence[spots.label == label].max()
        assert best == pytest.approx(scores.confidences[:, label].max(), rel=1e-4)
    features = np.load(half)
    several = model.scores([features, features[:50]], fps=1)
    assert isinstance(several, dict)
    assert [len(each.times) for each in several.values()] == [anchors, 50]
    np.testing.assert_array_equal(several[Half("features", 1)].confidences, scores.confidences)


def test_two_models_side_by_side(model: Model, trained: Path, half: Path) -> None:
    other = load_model(trained, device="cpu", precision="32")
    before = model.predict(half)
    for parameter in other.system.network.parameters():
        parameter.data.zero_()
    assert not same(other.predict(half), before)
    assert same(model.predict(half), before)
    assert repr(model) == "<Model of soccernet-v2: Transformer, features at 1 fps, on cpu>"


def test_video(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A video at its own rate; one of a lower rate is predicted with a warning."""
    model = load_model(VIDEO, device="cpu")
    write_video(tmp_path / "fast.mp4", 60, fps=25)
    write_video(tmp_path / "slow.mp4", 12, fps=5)
    predictions = model.predict(tmp_path / "fast.mp4", progress=False)
    assert list(predictions) == [Half("fast", 1)]
    assert len(predictions.to_frame())
    assert not caplog.records
    model.predict(tmp_path / "slow.mp4", progress=False)
    (warning,) = caplog.messages
    assert warning.startswith(f"slow has 5 images per second and the model reads {model.fps:g}")
    with pytest.raises(UserError, match="this model reads video, not one array"):
        model.predict(np.zeros((5, 32), "f4"), fps=25)


def test_mirrored_images_are_seen_too(model: Model, half: Path, tmp_path: Path) -> None:
    """As where the checkpoint says so; a call changes nothing for the next."""
    seeing = load_model(VIDEO, device="cpu", precision="32")
    path = write_video(tmp_path / "match.mp4", 30, fps=25)
    plain, both, again = (seeing.scores(path, flip=flip, progress=False) for flip in (None, True, None))
    assert not np.allclose(plain.confidences, both.confidences)  # type: ignore[union-attr]
    np.testing.assert_array_equal(plain.confidences, again.confidences)  # type: ignore[union-attr]
    one, other = (seeing.predict(path, flip=flip, progress=False) for flip in (None, True))
    assert not same(one, other)
    seeing.system = replace(seeing.system, clips=replace(seeing.system.clips, flip=True))
    assert same(seeing.predict(path, progress=False), other)
    assert same(seeing.predict(path, flip=False, progress=False), one)
    with pytest.raises(UserError, match=r"clips\.flip: mirrors images, but this model reads features"):
        model.predict(half, flip=True)


def test_ranks_share_the_work(model: Model, half: Path, tmp_path: Path) -> None:
    """Each rank gets all predictions, those of a single process."""
    model.predict(half).to_csv(tmp_path / "alone.csv")

    def work() -> int:
        dist.init_process_group("gloo")
        model.predict(half, progress=False).to_csv(tmp_path / f"{dist.get_rank()}.csv")
        dist.destroy_process_group()
        return 0

    assert on_ranks(2, work) == [0, 0]
    for rank in range(2):
        assert (tmp_path / f"{rank}.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes()


@pytest.mark.slow
def test_no_lightning_and_no_hydra(trained: Path, half: Path) -> None:
    """A notebook needs neither."""
    code = (
        "import sys, spotter\n"
        f"assert len(spotter.load({str(trained)!r}).predict({str(half)!r}).to_frame())\n"
        "assert not {'pytorch_lightning', 'lightning_fabric', 'hydra', 'omegaconf'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
def test_a_script_shows_progress_unless_it_is_not_wanted(trained: Path, half: Path) -> None:
    code = f"import spotter; spotter.load({str(trained)!r}, device='cpu').predict({str(half)!r}, progress=SHOWN)"
    for shown in (True, False):
        command = [sys.executable, "-c", code.replace("SHOWN", str(shown))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert ("frames/s" in done.stderr) == shown


def test_interruption_comes_out(model: Model, half: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a notebook stops the prediction, and the model can be used again."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(model.system), "outputs", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.predict(half)
    assert len(model.predict(half).to_frame())


@pytest.mark.parametrize(
    ("given", "settings", "message"),
    [
        (np.zeros((5, 32), "f4"), {}, "fps: give the rows per second of the array; this model reads fps=1"),
        (np.zeros((5, 32), "f4"), {"fps": 2}, "fps: 2 rows per second were given, and this model reads 1"),
        (np.zeros((5, 31), "f4"), {"fps": 1}, "31 columns, and this model reads 32"),
        (np.zeros((5,), "f4"), {"fps": 1}, "expected numbers"),
        ("missing.npy", {}, "input: no file or folder 'missing.npy'"),
        ("missing.npy", {"fps": 1}, "fps: is for arrays"),
        (["a.npy", np.zeros((5, 32))], {}, "either paths or arrays"),
        (np.zeros((5, 32), "f4"), {"fps": 1, "start": "late"}, "start: expected seconds, mm:ss or h:mm:ss"),
        (np.zeros((5, 32), "f4"), {"fps": 1, "start": 9}, "ends after 5.0 seconds"),
        (np.zeros((5, 32), "f4"), {"fps": 1, "threshold": 2}, "threshold: expected a number from 0 to 1"),
        (np.zeros((5, 32), "f4"), {"fps": 1, "postprocess": {"method": "best", "window": 1}}, "'best' is unknown"),
    ],
    ids=str,
)
def test_what_cannot_be_predicted(model: Model, given: object, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        model.predict(given, **settings)  # type: ignore[arg-type]


def test_precision_may_be_a_number(trained: Path) -> None:
    assert load_model(trained, device="cpu", precision=16).compute.precision == "16"


def test_what_cannot_be_loaded(tmp_path: Path, trained: Path) -> None:
    with pytest.raises(UserError, match="ckpt: no file"):
        load_model(tmp_path / "missing.ckpt")
    with pytest.raises(UserError, match=r"a folder without checkpoints.best\.ckpt"):
        load_model(tmp_path)
    with pytest.raises(UserError, match="precision: 'half' is unknown"):
        load_model(trained, precision="half")
    with pytest.raises(UserError, match="trust: my_modul cannot be imported"):
        load_model(trained, trust="my_modul")
    with pytest.raises(UserError, match=r"ckpt: expected hf://owner/name\[@revision\]/file, found 'hf://me/model'"):
        load_model("hf://me/model")
    content = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    content["hyper_parameters"]["network"]["_target_"] = "my_module.Network"
    torch.save(content, tmp_path / "theirs.ckpt")
    with pytest.raises(UserError, match="my_module"):
        load_model(tmp_path / "theirs.ckpt")


def test_a_folder_of_json(model: Model, half: Path, tmp_path: Path) -> None:
    """What is written is what the command writes, ready for ``spotter evaluate``."""
    model.predict([np.load(half)], fps=1).to_json(tmp_path / "out")
    content = orjson.loads((tmp_path / "out" / "features" / "results_spotting.json").read_bytes())
    assert content["UrlLocal"] == "features"
    assert (tmp_path / "out" / "results_spotting.zip").is_file()
