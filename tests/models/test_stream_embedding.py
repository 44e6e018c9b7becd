"""Features become tokens: every extractor on its own, at the right time, with nothing from beyond the half."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spotter.models.blocks.stream_embedding import (
    GroupProjection,
    StreamEmbedding,
    encoder,
    positional_encoding,
    resample,
    valid_rows,
)


@given(
    rows=st.integers(1, 30),
    count=st.integers(1, 40),
    step=st.sampled_from([0.25, 0.5, 12 / 25, 1.0, 25 / 24, 2.0, 12.5]),
    phases=st.lists(st.floats(0, 0.999), min_size=1, max_size=4),
)
def test_rows_are_interpolated_in_time(rows: int, count: int, step: float, phases: list[float]) -> None:
    values = torch.randn(len(phases), rows, 3, generator=torch.Generator().manual_seed(0))
    phase = torch.tensor(phases) * (step != 1 or rows != count)  # rows at the tokens' own rate are taken as they are
    out = resample(values, phase, step, count)
    for clip in range(len(phases)):
        position = float(phase[clip]) + step * np.arange(count)
        for column in range(3):
            expected = np.interp(position, np.arange(rows), values[clip, :, column].numpy())
            np.testing.assert_allclose(out[clip, :, column].numpy(), expected, atol=2e-4)


def test_half_precision_stays_and_gradients_flow() -> None:
    rows = torch.randn(2, 5, 3, dtype=torch.bfloat16, requires_grad=True)
    out = resample(rows, torch.zeros(2), 0.5, 10)
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert rows.grad is not None
    assert float(rows.grad.float().sum()) == pytest.approx(2 * 10 * 3, rel=0.02)


@given(st.integers(2, 20), st.integers(1, 4), st.data())
def test_rows_beyond_the_half_do_not_tint_frames_inside(length: int, upsample: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, length - 1))
    last = data.draw(st.integers(first, length - 1))
    valid = torch.zeros(1, length, dtype=torch.bool)
    valid[0, first : last + 1] = True
    clean = torch.arange(length, dtype=torch.float32)[None, :, None]
    soiled = torch.where(valid[..., None], clean, 1e6)
    out = resample(soiled, torch.zeros(1), 1 / upsample, length * upsample, valid)[0, :, 0].numpy()
    inside = slice(first * upsample, (last + 1) * upsample)
    expected = np.interp(
        np.arange(length * upsample) / upsample, np.arange(first, last + 1), np.arange(first, last + 1)
    )
    np.testing.assert_allclose(out[inside], expected[inside], atol=1e-3)


@given(
    length=st.integers(1, 40),
    start=st.integers(-20, 45),
    clip_len=st.integers(1, 30),
    step=st.sampled_from([0.5, 24 / 25, 1.0, 25 / 24, 2.0, 25 / 12]),
)
def test_rows_of_another_rate_are_inside_where_their_frame_is(
    length: int, start: int, clip_len: int, step: float
) -> None:
    """A row of a stream lies inside a half of ``length`` frames as its time does; the ends of the clip count on."""
    frames = np.arange(start, start + clip_len)
    valid = torch.from_numpy((frames >= 0) & (frames < length))[None]
    first = math.floor(start * step + 1e-6)
    phase = torch.tensor([start * step - first])
    rows = math.ceil(clip_len * step - 1e-6) + 2
    inside = valid_rows(valid, phase, step, rows)[0].tolist()
    for row in range(rows):
        frame = math.floor((first + row) / step + 1e-3)
        frame = min(max(frame, start), start + clip_len - 1)
        assert inside[row] == (0 <= frame < length)


def test_a_stream_of_another_rate_is_cut_where_its_own_rows_end() -> None:
    layout = {"slow": {"fps": 0.96, "clock_fps": 1.0, "groups": [2]}}
    embed = StreamEmbedding(layout, 4, dropout=0, extractor_dropout=0, token_dropout=0).eval()
    rows, phase = torch.randn(1, 41, 2), {"slow": torch.zeros(1)}
    valid = torch.arange(40)[None] < 25  # frame 24 lies between row 23 and row 24, which is frame 25
    soiled = torch.cat((rows[:, :24], torch.full((1, 17, 2), 100.0)), dim=1)
    out = embed({"slow": rows}, phase, valid)[:, :25]
    torch.testing.assert_close(embed({"slow": soiled}, phase, valid)[:, :25], out)
    torch.testing.assert_close(out[:, 24], embed.streams["slow"](rows)[:, 23])


def test_every_group_is_normalised_and_projected_on_its_own() -> None:
    torch.manual_seed(0)
    project = GroupProjection([4, 1, 7], 5, dropout=0.4, extractor_dropout=0.5).eval()
    rows = torch.randn(2, 9, 12)
    out = project(rows)
    assert out.shape == (2, 9, 5)
    louder = rows.clone()
    louder[..., :4] = 1000 * louder[..., :4] + 50
    torch.testing.assert_close(project(louder), out, atol=1e-3, rtol=1e-3)  # one loud extractor must not win
    expected = sum(
        linear(torch.nn.functional.layer_norm(part, part.shape[-1:]))
        for linear, part in zip(project.projections, rows.split([4, 1, 7], -1), strict=True)
    )
    torch.testing.assert_close(out, expected)


def test_groups_are_dropped_in_training_only_and_per_clip() -> None:
    torch.manual_seed(0)
    project = GroupProjection([3, 3], 4, dropout=0.0, extractor_dropout=0.5)
    rows = torch.randn(200, 2, 6)
    first, second = (
        linear(norm(part))
        for linear, norm, part in zip(project.projections, project.norms, rows.split([3, 3], -1), strict=True)
    )
    project.eval()
    torch.testing.assert_close(project(rows), first + second)
    project.train()
    out = project(rows)
    both = (out - first - second).abs().amax((1, 2)) < 1e-5
    none = out.abs().amax((1, 2)) < 1e-5
    assert 25 < both.sum() < 75
    assert 25 < none.sum() < 75
    only_first = (out - first).abs().amax((1, 2)) < 1e-5
    only_second = (out - second).abs().amax((1, 2)) < 1e-5
    assert torch.all(both | none | only_first | only_second), "a group is left out of a whole clip or of none of it"
    single = GroupProjection([6], 4, dropout=0.0, extractor_dropout=0.99).train()
    assert single(rows).abs().amax((1, 2)).min() > 1e-5, "the only group is never dropped"


def test_rows_are_replaced_in_training_only() -> None:
    torch.manual_seed(0)
    layout = {"a": {"fps": 1, "clock_fps": 1, "groups": [3]}}
    embed = StreamEmbedding(layout, 4, dropout=0.0, extractor_dropout=0.0, token_dropout=0.3)
    assert embed.dropped is not None
    torch.nn.init.constant_(embed.dropped, 7.0)
    inputs = {"a": torch.randn(50, 20, 3)}
    phase, valid = {"a": torch.zeros(50)}, torch.ones(50, 20, dtype=torch.bool)
    whole = embed.eval()(inputs, phase, valid)
    assert not (whole == 7).all(-1).any()
    out = embed.train()(inputs, phase, valid)
    gone = (out == 7).all(-1)
    torch.testing.assert_close(out[~gone], whole[~gone])
    assert float(gone.float().mean()) == pytest.approx(0.3, abs=0.05)
    assert StreamEmbedding(layout, 4, token_dropout=0.0).dropped is None


def test_streams_are_summed_at_the_tokens_rate() -> None:
    layout = {
        "a": {"fps": 1, "clock_fps": 1, "groups": [2, 3]},
        "b": {"fps": 25 / 12, "clock_fps": 1, "groups": [4]},
    }
    embed = StreamEmbedding(layout, 6, upsample=2).eval()
    inputs = {"a": torch.randn(3, 8, 5), "b": torch.randn(3, 19, 4)}
    phase = {"a": torch.zeros(3), "b": torch.tensor([0.0, 0.3, 0.9])}
    valid = torch.ones(3, 8, dtype=torch.bool)
    out = embed(inputs, phase, valid)
    a = resample(embed.streams["a"](inputs["a"]), phase["a"], 0.5, 16)
    b = resample(embed.streams["b"](inputs["b"]), phase["b"], 25 / 24, 16)
    torch.testing.assert_close(out, a + b)


@pytest.mark.parametrize(("count", "dim"), [(1, 2), (7, 8), (128, 16), (5, 7)])
def test_the_time_code_is_the_published_one(count: int, dim: int) -> None:
    code = positional_encoding(count, dim, torch.device("cpu"))
    for position in range(count):
        for i in range(dim):
            angle = position / 10_000 ** ((i - i % 2) / dim)
            expected = math.cos(angle) if i % 2 else math.sin(angle)
            assert float(code[position, i]) == pytest.approx(expected, abs=1e-4)


def test_the_encoder_normalises_first_and_takes_a_batch_first() -> None:
    net = encoder(8, 2, 2, 16, 0.0).eval()
    assert all(layer.norm_first for layer in net.layers)  # post-norm collapses to "always background" at width
    x = torch.randn(3, 5, 8)
    alone = net(x[1:2])
    torch.testing.assert_close(net(x)[1:2], alone)
