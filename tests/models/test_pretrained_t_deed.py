"""T-DEED: network, losses and decoding give what the reference gives; its checkpoints become ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spotter.errors import UsageError, UserError
from spotter.inference.decode import apply_displacement
from spotter.io.checkpoints import open_checkpoint
from spotter.io.scores import Scores
from spotter.models.blocks.displaced import DisplacedHead
from spotter.models.pretrained import convert_published, load_published
from spotter.models.pretrained.options import ImportOptions
from spotter.models.pretrained.t_deed import build_reference, read_t_deed
from spotter.models.system import System
from spotter.tasks import Task
from spotter.types import Batch, ClipFrames, Output, Spots
from tests.helpers.networks import both
from tests.helpers.published import digest, expected
from tests.helpers.published_t_deed import clip, reference, save, shapes_of, state_of

GOLDEN = expected("t_deed")
NETWORKS: dict[str, dict[str, Any]] = {
    "small": {"frames": 12},
    "two_heads": {"frames": 8, "shift": "gsm", "layers": 1, "kernel": 3, "ratio": 4, "outputs": (3, 4)},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_scores_and_displacements_are_those_of_the_reference(name: str, tmp_path: Path) -> None:
    said, model = GOLDEN[name], reference(**NETWORKS[name])
    assert digest(shapes_of(model)) == said["keys"]
    assert sum(parameter.numel() for parameter in model.parameters()) == said["parameters"]
    published = load_published(save(tmp_path, state_of(model), clip_len=said["config"]["clip_len"]), "t-deed")
    assert not published.training
    video = clip(said["config"]["clip_len"])
    with torch.no_grad():
        logits, displacement = published(video)
        mirrored, _ = published(video.flip(-1))
    torch.testing.assert_close(logits[0], torch.tensor(said["logits"]), rtol=0, atol=1e-4)
    torch.testing.assert_close(displacement[0], torch.tensor(said["displacement"]), rtol=0, atol=1e-4)
    torch.testing.assert_close(mirrored[0], torch.tensor(said["logits_all_frames_mirrored"]), rtol=0, atol=1e-4)


def move_probabilities(probabilities: Tensor, displacement: Tensor) -> Tensor:
    """Decode clips as that codebase does: (B, T, C), the highest of all that moved to a frame, 0 where nothing did.

    probabilities : (B, T, C), background included
    displacement : (B, T), frames from a spot to its anchor
    """
    frames = torch.arange(displacement.shape[1], device=displacement.device)
    target = (frames - displacement.round().long()).clamp(0, len(frames) - 1)
    index = target[..., None].expand_as(probabilities)
    return torch.zeros_like(probabilities).scatter_reduce(1, index, probabilities, "amax")


@pytest.mark.parametrize("name", NETWORKS)
def test_decoding_and_losses_are_those_of_the_reference(name: str) -> None:
    said = GOLDEN[name]
    head, frames = DisplacedHead(16, 2, said["config"]["radius"]), len(said["displacement"])
    logits = torch.tensor(said["logits"])[None, :, :3]
    output = Output(logits=logits, displacement=-torch.tensor(said["displacement"])[None])
    found, displacement = both(head.predict(output))
    assert displacement is not None
    moved = move_probabilities(logits.softmax(-1), -output["displacement"])
    torch.testing.assert_close(moved[0], torch.tensor(said["decoded_probabilities"]), rtol=0, atol=1e-4)
    # In a half moments stay exact, where theirs are whole frames; the best of a frame is the same when they are.
    cells = apply_displacement(Scores(found[0].numpy(), displacement[0].round().numpy(), 1.0)).confidence
    np.testing.assert_allclose(cells.clip(0), np.array(said["decoded_probabilities"])[:, 1:], atol=1e-4)
    spots = {"a": ([0, 1], [3.0, frames - 2.0]), "b": ([1], [float(frames // 2)])}
    made = {}
    for which, (label, time) in spots.items():
        columns = Spots(np.array(label), np.array(time), np.ones(len(label), bool))
        arrays = head.targets(columns, ClipFrames(0, frames, 1.0))
        assert arrays["classes"].argmax(1).tolist() == said["losses"][f"labels_{which}"]
        assert (-arrays["displacement"]).tolist() == said["losses"][f"displacement_{which}"]
        made[which] = {key: torch.from_numpy(value)[None] for key, value in arrays.items()}
    valid, foreground = torch.ones(1, frames, dtype=torch.bool), head.weight[made["a"]["classes"].argmax(-1)]
    batch = Batch(inputs={}, phase={}, valid=valid, targets=made["a"])  # type: ignore[typeddict-item]
    parts = head.loss(output, batch)
    # Of class numbers torch divides by their weights, ours by the number of frames, as it does of distributions.
    assert float(parts["classes"] / foreground.mean()) == pytest.approx(said["losses"]["cross_entropy_a"], abs=1e-4)
    assert float(parts["displacement"]) == pytest.approx(said["losses"]["mse_a"], rel=1e-5)
    mixed = head.mix(made["a"], made["b"], torch.tensor([0.3]))
    parts = head.loss(output, {**batch, "targets": mixed})
    assert float(parts["classes"]) == pytest.approx(said["losses"]["cross_entropy_mix_03a_07b"], rel=1e-5)
    assert float(parts["displacement"]) == pytest.approx(said["losses"]["mse_mix"], rel=1e-5)
    assert float(parts["loss"]) == pytest.approx(float(parts["classes"] + parts["displacement"]))


CONFIGS = {
    "soccernet_small": ((18,), {"layers": 3, "kernel": 9}),
    "soccernet_big": ((18,), {"layers": 3, "kernel": 11, "backbone": "regnety_008"}),
    "soccernetball_challenge1": ((13, 18), {"layers": 2, "kernel": 9}),
    "soccernetball_challenge2": ((13, 18), {"layers": 2, "kernel": 9, "backbone": "regnety_008"}),
    "finediving_small": ((5,), {"layers": 2, "kernel": 7}),
    "finediving_big": ((5,), {"layers": 3, "kernel": 7, "backbone": "regnety_008"}),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_published_sizes_have_as_many_parameters(name: str) -> None:
    outputs, sizes = CONFIGS[name]
    with torch.device("meta"):
        model = build_reference({"clip_len": 100, "ratio": 4, **sizes}, outputs, True)
    said = GOLDEN["parameter_counts"][name]
    assert sum(parameter.numel() for parameter in model.parameters()) == said["total"]
    assert sum(parameter.numel() for parameter in model.network.temporal.parameters()) == said["temporal"]
    assert len(model.state_dict()) == said["tensors"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "sizes",
    [
        {"frames": 13, "shift": "gsf", "layers": 3, "kernel": 7, "ratio": 2, "displaced": False},
        {"frames": 6, "shift": "none", "layers": 1, "kernel": 3, "ratio": 2.75, "backbone": "regnety_008"},
    ],
)
def test_sizes_are_read_from_the_tensors(sizes: dict[str, Any], tmp_path: Path) -> None:
    model = reference(**sizes)
    prefixed = {f"_model.module.{name}": value for name, value in state_of(model).items()}
    save(tmp_path, {"state_dict": prefixed})  # type: ignore[dict-item]
    found = read_t_deed(tmp_path)
    assert found.network["clip_len"] == sizes["frames"]
    wanted = {key: value for key, value in sizes.items() if key not in ("frames", "displaced")}
    assert {key: found.network[key] for key in wanted} == wanted
    with torch.no_grad():
        logits, displacement = load_published(tmp_path, "t-deed")(torch.randn(1, sizes["frames"], 3, 32, 32))
    assert logits.shape == (1, sizes["frames"], 3)
    assert bool(displacement.any()) == sizes.get("displaced", True)


@pytest.mark.slow
def test_a_checkpoint_of_two_heads_becomes_one_of_ours(tmp_path: Path) -> None:
    task = Task.load("ball-2023")
    model = reference(6, layers=1, kernel=3, outputs=(3, 18))
    save(tmp_path, state_of(model), dataset="soccernetball", clip_len=6, radi_displacement=3)
    with pytest.raises(UserError, match="has 2 classes, task ball-2024 has 12"):
        convert_published(tmp_path, tmp_path / "out.ckpt", "t-deed")
    convert_published(tmp_path, tmp_path / "out.ckpt", "t-deed", ImportOptions(task="ball-2023"))
    content = open_checkpoint(tmp_path / "out.ckpt")
    system, published = System.load(content), load_published(tmp_path, "t-deed")
    assert (system.spec.fps, system.clips.overlap, system.task) == (12.5, 0.75, task)
    assert content["hyper_parameters"]["head"]["dilate"] == 3
    video, valid = torch.randn(1, 6, 3, 32, 32), torch.ones(1, 6, dtype=torch.bool)
    with torch.no_grad():
        said, displacement = both(system.head.predict(system.head(system.network({"video": video}, {}, valid))))
        logits, away = published(video)
    torch.testing.assert_close(said.sigmoid(), logits[..., :3].softmax(-1)[..., 1:], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(displacement, -away[..., None].expand_as(said), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_classes_of_broadcasts_come_in_our_order(tmp_path: Path) -> None:
    task = Task.load("soccernet-v2")
    save(tmp_path, state_of(reference(4, layers=1, kernel=3, outputs=(18,), displaced=False)), dataset="soccernet")
    convert_published(tmp_path, tmp_path / "out.ckpt", "t-deed")
    system, published = System.load(open_checkpoint(tmp_path / "out.ckpt")), load_published(tmp_path, "t-deed")
    video, valid = torch.randn(1, 4, 3, 32, 32), torch.ones(1, 4, dtype=torch.bool)
    with torch.no_grad():
        said, displacement = both(system.head.predict(system.head(system.network({"video": video}, {}, valid))))
        share = published(video)[0].softmax(-1)
    order = [1 + sorted(task.classes).index(name) for name in task.classes]
    torch.testing.assert_close(said.sigmoid(), share[..., order], rtol=1e-4, atol=1e-6)
    assert displacement is None


@pytest.mark.slow
def test_ball_classes_keep_their_order_without_a_config(tmp_path: Path) -> None:
    """They are listed in the order of the challenge, so that the task tells as much as the data set does."""
    state, found = state_of(reference(6, layers=1, kernel=3, outputs=(13,))), []
    for name, config, task in (("a", {"dataset": "soccernetball"}, None), ("b", {}, "ball-2024")):
        save(tmp_path / name, state, **config)
        convert_published(tmp_path / name, tmp_path / "out.ckpt", "t-deed", ImportOptions(task=task))
        found.append(open_checkpoint(tmp_path / "out.ckpt"))
    named, unnamed = found
    assert unnamed["hyper_parameters"] == named["hyper_parameters"]
    assert all(torch.equal(value, unnamed["state_dict"][key]) for key, value in named["state_dict"].items())


@pytest.mark.slow
def test_what_cannot_be_imported_is_said_in_one_line(tmp_path: Path) -> None:
    state = state_of(reference(4, layers=1, kernel=3))

    def fails(*said: str) -> None:
        with pytest.raises(UserError) as error:
            load_published(tmp_path, "t-deed")
        assert "\n" not in str(error.value)
        assert all(word in str(error.value) for word in (str(tmp_path), *said)), error.value

    fails("0 files")
    save(tmp_path, state, clip_len=5)
    fails("clip_len", "4", "5")
    (tmp_path / "config.json").unlink()
    save(tmp_path, {name: value for name, value in state.items() if ".gn." not in name})
    fails("lacks", "gn")
    save(tmp_path, {"weight": torch.ones(1)})
    fails("temp_enc")
    with pytest.raises(UsageError, match="pool"):
        load_published(tmp_path, "t-deed", pool="max")
