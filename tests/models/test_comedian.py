"""COMEDIAN gives what the reference gives; hidden tubes and ViSwin have their shapes; checkpoints become ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from spotter.errors import UserError
from spotter.io.checkpoints import open_checkpoint
from spotter.models.comedian.network import Comedian
from spotter.models.pretrained import convert_published, load_published
from spotter.models.pretrained.comedian import CLASSES, ComedianReference, build_reference, published_names
from spotter.models.system import System
from tests.helpers import golden
from tests.helpers.networks import both
from tests.helpers.published import SMALL, by_fan_in, digest, expected, waves, weights

GOLDEN = expected("comedian")
TINY = {"clip_len": 8, "image": [64, 64], "depth": 2}
LAYOUT: Any = {"video": {"fps": 2.0, "height": 32, "width": 48}}


def shapes_of(model: ComedianReference) -> dict[str, tuple[int, ...]]:
    return {their: tuple(model.state_dict()[ours].shape) for ours, their in published_names(model).items()}


def save(path: Path, model: ComedianReference, prefix: str = "trunk.", **more: Tensor) -> Path:
    shapes = shapes_of(model)
    state = weights(shapes, {"(pos|time)_embed|spatial_cls_token": SMALL})
    count, (rows, columns) = len(shapes), model.classes.weight.shape
    head = by_fan_in(3)(golden.noise((rows, columns), count), (rows, columns))
    bias = 0.4 * golden.noise((rows,), count + 1) - 0.2
    linear = {"head.linear.weight": torch.from_numpy(head).float(), "head.linear.bias": torch.from_numpy(bias).float()}
    content = {f"{prefix}{name}": value for name, value in (state | more).items()} | linear
    torch.save({"state_dict": content, "epoch": 3}, path)
    return path


def test_scores_are_those_of_the_reference(tmp_path: Path) -> None:
    small = build_reference(TINY, 17)
    assert digest(shapes_of(small)) == GOLDEN["keys"]
    video = torch.from_numpy(waves(8, 64, 64)).float().transpose(0, 1)[None]  # (1, 3, 8, 64, 64)
    for prefix, more in (("trunk.", {}), ("model.student.", {"mask_token": torch.zeros(1, 1, 192)})):
        model = load_published(save(tmp_path / "a.ckpt", small, prefix, **more), "comedian")
        assert not model.training
        with torch.no_grad():
            tokens = model.network.tubes(video.transpose(1, 2))
            torch.testing.assert_close(model(video)[0], torch.tensor(GOLDEN["logits"]), rtol=0, atol=1e-4)
        said = torch.tensor(GOLDEN["output_tokens_first_8"])
        torch.testing.assert_close(tokens[0, :, :8], said, rtol=0, atol=1e-4)


def test_published_sizes_have_as_many_parameters() -> None:
    said = GOLDEN["parameter_counts"]
    with torch.device("meta"):
        tiny, less = (Comedian(LAYOUT, 128, depth=depth) for depth in (6, 4))
        swin = Comedian(LAYOUT, 128, "viswin")
    count = {each: sum(p.numel() for p in each.parameters()) - each.hidden.numel() for each in (tiny, less, swin)}
    assert (count[tiny], count[less]) == (said["vivit_tiny_depth_6"], said["vivit_tiny_depth_4"])
    assert len(tiny.state_dict()) - 1 == said["tensors"]
    # By its description: Swin-T with patches of two frames, 64 learned times, six layers of 768.
    swin_t, patches = 27_519_354, 96 * 3 * 4 * 4
    layer = 12 * 768**2 + 13 * 768
    assert count[swin] == swin_t + patches + 64 * 768 + 6 * layer + 2 * 768


@pytest.mark.parametrize("spatial", ["vivit", "viswin"])
def test_hidden_tubes_are_learned_from_those_around_them(spatial: str) -> None:
    torch.manual_seed(0)
    small: dict[str, Any] = {"vivit": {"width": 24, "depth": 1, "heads": 3}, "viswin": {}}
    small["viswin"] = {"width": 24, "depth": [1, 1], "heads": [2, 2]}
    image = [32, 32] if spatial == "vivit" else [56, 56]
    network = Comedian(LAYOUT, 8, spatial, image, depth=1, heads=2, spatial_args=small[spatial])
    video, valid, seen = torch.randn(2, 8, 3, 32, 48), torch.ones(2, 8, dtype=torch.bool), []
    network.spatial.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    tokens = network({"video": video}, {}, valid)
    assert tokens.shape == (2, 8, network.width)
    assert torch.equal(tokens[:, ::2], tokens[:, 1::2]), "both frames of a tube have its token"
    tokens.sum().backward()
    assert network.hidden.grad is not None
    network.eval()({"video": video}, {}, valid)
    assert seen == [2 * 3, 2 * 4], "a quarter is hidden in training alone"
    for count in (7, 10):
        with pytest.raises(UserError, match="eval_len"):
            network({"video": torch.randn(1, count, 3, 32, 48)}, {}, torch.ones(1, count, dtype=torch.bool))


def test_imagenet_weights_serve_every_frame_of_a_tube(tmp_path: Path) -> None:
    for spatial, name in (("vivit", "vit_tiny_patch16_224"), ("viswin", "swin_tiny_patch4_window7_224")):
        import timm

        theirs = timm.create_model(name, num_classes=0)
        torch.save(theirs.state_dict(), tmp_path / "weights.pth")
        network = Comedian(LAYOUT, 4, spatial, depth=1).eval()
        network.load_imagenet(str(tmp_path / "weights.pth"))
        image = torch.randn(1, 3, 224, 224)
        with torch.no_grad():
            still = network.spatial(torch.stack((image, image), 2))
            features = theirs.eval().forward_features(image)
        torch.testing.assert_close(still, features[:, 0] if spatial == "vivit" else features.mean((1, 2)))


def test_a_checkpoint_becomes_one_of_ours(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", build_reference({**TINY, "depth": 1}, 17))
    convert_published(path, tmp_path / "out.ckpt", "comedian")
    system, model = System.load(open_checkpoint(tmp_path / "out.ckpt")), load_published(path, "comedian")
    assert (system.task.name, system.spec.fps, system.rate) == ("soccernet-v2", 2, 2)
    video, valid = torch.randn(1, 8, 3, 64, 64), torch.ones(1, 8, dtype=torch.bool)
    with torch.no_grad():
        said, _ = both(system.head.predict(system.head(system.network({"video": video}, {}, valid))))
        theirs = model(video.transpose(1, 2))
    order = [CLASSES.index(name) for name in system.task.classes]
    torch.testing.assert_close(said[:, ::2], theirs[..., order], rtol=1e-4, atol=1e-5)


def test_what_cannot_be_imported_is_said_in_one_line(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", build_reference({**TINY, "depth": 1}, 17))
    state = torch.load(path)["state_dict"]
    for leave, said in (("spatial_cls_token", "spatial_cls_token"), ("head", "head"), ("norm1", "norm1")):
        torch.save({name: value for name, value in state.items() if leave not in name}, path)
        with pytest.raises(UserError, match=said):
            load_published(path, "comedian")


@pytest.mark.parametrize("name", ["spatial_cls_token", "time_embed", "patch_embed.proj.weight", "head.linear.bias"])
def test_tensors_of_odd_shapes_are_said_in_one_line(name: str, tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", build_reference({**TINY, "depth": 1}, 17))
    state = torch.load(path)["state_dict"]
    (key,) = (key for key in state if key.endswith(name))
    for odd in (state[key].flatten()[:1], state[key].new_ones(()), state[key][None]):
        torch.save({**state, key: odd}, path)
        with pytest.raises(UserError, match=r"a\.ckpt: (not the network that its keys suggest|has no head)"):
            load_published(path, "comedian")
