"""The encoder-decoder answers every anchor of a clip of fixed length, first from nearby, then from all of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spotter.errors import UserError
from spotter.models.astra import Astra, interpolate, mask_between
from spotter.models.blocks.dense import DenseHead
from tests.helpers.dense_fitting import AT, OF, STREAMS, fit, run, several
from tests.helpers.networks import LAYOUT, clips

SMALL: dict[str, Any] = {"dim": 16, "heads": 2, "feedforward": 32, "dropout": 0.0, "token_dropout": 0.0}


def network(layout: Any = LAYOUT, clip_len: int = 12, upsample: int = 1, **more: Any) -> Astra:
    torch.manual_seed(0)
    return Astra(layout, clip_len, upsample, **{**SMALL, **more})


@pytest.mark.parametrize("upsample", [1, 2])
def test_there_is_an_answer_for_every_anchor(upsample: int) -> None:
    net = network(upsample=upsample).eval()
    out = run(net, clips(3, 12, [(0, 12), (7, 12), (0, 0)]))
    assert out.shape == (3, 12 * upsample, net.width)
    assert torch.isfinite(out).all()


def test_a_clip_of_another_length_is_refused() -> None:
    with pytest.raises(UserError, match=r"model\.clips: this network takes 12 frames, found 11"):
        run(network(), clips(1, 11))


def test_streams_of_other_rates_stand_side_by_side() -> None:
    net = network(STREAMS, upsample=2).eval()
    batch = several(3, 12, [(0, 12), (5, 12), (0, 4)])
    out = run(net, batch)
    assert out.shape == (3, 24, 16)
    assert torch.isfinite(out).all()
    for name in STREAMS:
        other = {**batch["inputs"], name: batch["inputs"][name] + 1}
        assert not torch.allclose(run(net, {**batch, "inputs": other}), out)


def test_rows_outside_the_half_do_not_count() -> None:
    net = network(STREAMS).eval()
    batch = several(3, 12, [(0, 12), (5, 12), (0, 7)])
    soiled = {"a": torch.where(batch["valid"][..., None], batch["inputs"]["a"], 50.0 * torch.randn(3, 12, 7))}
    torch.testing.assert_close(run(net, {**batch, "inputs": {**batch["inputs"], **soiled}}), run(net, batch))


def test_batches_do_not_mix_and_prediction_is_repeatable() -> None:
    net = network(upsample=2).eval()
    batch = clips(3, 12, [(0, 12), (3, 12), (0, 5)])
    together = run(net, batch)
    for i in range(3):
        one = slice(i, i + 1)
        alone = net({"a": batch["inputs"]["a"][one]}, {"a": batch["phase"]["a"][one]}, batch["valid"][one])
        torch.testing.assert_close(alone[0], together[i])
    with torch.no_grad():  # where torch takes another way through the layers
        torch.testing.assert_close(run(net, batch), together)


@pytest.mark.parametrize("segments", [1, 2, 4])
def test_a_layer_sees_its_own_segment_and_no_other(segments: int) -> None:
    net = network(segments=[segments]).eval()
    x = torch.randn(1, 24, 16)  # 12 frames of two extractors
    frames = torch.arange(12.0).repeat(2)
    changed = x.clone()
    changed[:, 4] += 1.0
    moved = (net._encode(changed, frames) - net._encode(x, frames)).abs().sum(-1)[0] > 1e-6
    own = [4 * segments // 12 == frame * segments // 12 for frame in range(12)]
    assert moved.tolist() == own * 2


def test_segments_are_of_time_whatever_the_rate() -> None:
    frames = torch.tensor([0, 5.9, 6, 11, 0, 3, 6.5, 11])
    late = torch.tensor([0, 0, 1, 1, 0, 0, 1, 1], dtype=torch.bool)
    assert torch.equal(mask_between(frames, 2, 12), late[:, None] != late)
    assert not mask_between(torch.linspace(0, 11, 30), 1, 12).any()


def test_codes_of_time_are_interpolate() -> None:
    code = torch.randn(4, 3)
    out = interpolate(code, torch.tensor([[0.0, 1.25, 3.0]]))
    torch.testing.assert_close(out[0], torch.stack([code[0], 0.75 * code[1] + 0.25 * code[2], code[3]]))


def test_a_query_starts_where_the_row_of_its_time_does() -> None:
    net = network(upsample=2)
    assert torch.equal(net.queries[::2], net.time)
    assert net.queries.requires_grad
    assert net.time.requires_grad
    assert len(torch.unique(net.queries, dim=0)) == 24


def test_from_the_start_answers_follow_what_happens_at_their_time() -> None:
    net = network(clip_len=40, segments=[40]).eval()  # an encoder that looks at no other frame
    batch = clips(1, 40)
    changed = batch["inputs"]["a"].clone()
    changed[:, 10] = -changed[:, 10]
    moved = (run(net, {**batch, "inputs": {"a": changed}}) - run(net, batch)).abs().sum(-1)[0]
    assert moved[10] > 2 * moved[25:].mean()


def test_order_matters() -> None:
    net = network().eval()
    batch = clips(1, 12)
    swapped = batch["inputs"]["a"][:, [0, 2, 1, *range(3, 12)]]
    assert not torch.allclose(run(net, {**batch, "inputs": {"a": swapped}}), run(net, batch), atol=1e-5)


def test_rows_are_dropped_of_all_extractors_at_once_in_training_only() -> None:
    net = network(token_dropout=0.5, input_dropout=0.0)
    embed = net.streams["a"]
    torch.nn.init.constant_(embed.dropped, 7.0)
    torch.nn.init.zeros_(embed.code)
    rows, inside = torch.randn(40, 12, 7), torch.ones(40, 12, dtype=torch.bool)
    inside[:, 0] = False
    gone = (embed(rows, inside, torch.zeros(40, 12, 16)) == 7).all(-1).reshape(40, 2, 12)
    assert torch.equal(gone[:, 0], gone[:, 1])
    assert gone[..., 0].all()
    assert float(gone[..., 1:].float().mean()) == pytest.approx(0.5, abs=0.08)
    kept = (embed.eval()(rows, inside, torch.zeros(40, 12, 16)) == 7).all(-1).reshape(40, 2, 12)
    assert torch.equal(kept.any((0, 1)), ~inside[0])


@pytest.mark.parametrize("normalise", [False, True])
def test_every_extractor_has_two_layers_and_a_code(normalise: bool) -> None:
    net = network(hidden=None, normalise=normalise).eval()
    embed = net.streams["a"]
    assert [layer[2].out_features for layer in embed.embed] == [4, 3]
    assert [layer[2].out_features for layer in network(hidden=9).streams["a"].embed] == [9, 9]
    rows, time = torch.randn(2, 5, 7), torch.randn(2, 5, 16)
    out = embed(rows, torch.ones(2, 5, dtype=torch.bool), time)
    part = rows[..., 4:]
    part = torch.nn.functional.layer_norm(part, (3,)) if normalise else part
    _, _, one, _, _, two, _ = embed.embed[1]
    expected = (two.weight @ (one.weight @ part.mT + one.bias[:, None]).relu() + two.bias[:, None]).relu().mT
    torch.testing.assert_close(out[:, 5:], expected + time + embed.code[1])


@pytest.mark.slow
@pytest.mark.parametrize(("displacement", "weight"), [("gaussian", 0.01), ("huber", 0.3)])
def test_four_clips_are_learnt_by_heart(displacement: str, weight: float) -> None:
    net = network(upsample=2, input_dropout=0.0, segments=[2, 1], decoder_layers=2)
    head = DenseHead(
        net.width, 3, 0.5, 2.0, upsample=2, displacement=displacement, displacement_weight=weight, hidden=16
    )
    loss, confidence, found = fit(net, head, 2, steps=200, lr=3e-3)
    assert loss < 2e-3
    for clip, (at, label) in enumerate(zip(AT, OF, strict=True)):
        anchor, best = divmod(int(confidence[clip].argmax()), 3)
        assert best == label
        assert abs(anchor - 2 * (at + 0.1)) <= 1
        assert anchor + float(found[clip, anchor, label]) == pytest.approx(2 * (at + 0.1), abs=1.0)


def test_the_published_size() -> None:
    layout = {"baidu": {"fps": 1, "clock_fps": 1, "groups": [2048, 2048, 384, 2048, 2048]}}
    net = Astra(layout, 50, 2)
    assert sum(p.numel() for p in net.streams["baidu"].embed.parameters()) == pytest.approx(21.3e6, rel=0.01)
    assert net.queries.shape == (100, 512)


@pytest.mark.parametrize("segments", [[], [0], [4, 13]])
def test_wrong_segments_are_named(segments: list[int]) -> None:
    with pytest.raises(UserError, match=r"model\.network\.segments: expected numbers within 1 … 12"):
        network(segments=segments)
