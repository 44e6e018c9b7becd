"""The match clock says how long a half has been running and which it is, to networks that are to see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.arrays import ArraySource
from spotter.data.excerpt import Excerpt
from spotter.data.features import FeatureSource
from spotter.data.match_clock import HALVES, KNOTS, STREAM, WIDTH, read_match_clock
from spotter.data.source import InputSpec
from spotter.errors import UserError
from spotter.types import Clip, Half

SECOND = [Half("game", 2)]


def shown(clock: torch.Tensor) -> np.ndarray:
    """Return the seconds that a clock shows."""
    return clock.numpy()[..., : len(KNOTS)] @ KNOTS


@given(st.integers(-50, 4000), st.integers(1, 30), st.sampled_from([1.0, 2.0, 25 / 12]), st.sampled_from([0.0, 0.5]))
def test_it_shows_the_seconds_since_the_kick_off(start: int, length: int, fps: float, offset: float) -> None:
    clock = read_match_clock(SECOND, [Clip(0, start)], length, fps, offset)
    assert clock.shape == (1, length, WIDTH)
    expected = np.clip(offset + (start + np.arange(length)) / fps, 0, KNOTS[-1])
    np.testing.assert_allclose(shown(clock)[0], expected, atol=1e-3)
    assert torch.all(clock >= 0)
    torch.testing.assert_close(clock.sum(-1), torch.full((1, length), 2.0))


@pytest.mark.parametrize(("number", "column"), [(1, 0), (2, 1), (3, 2), (4, 2)])
def test_it_tells_halves_apart(number: int, column: int) -> None:
    clock = read_match_clock([Half("game", number)], [Clip(0, 0)], 3, 1.0, 0.0)
    assert clock[0, :, len(KNOTS) :].tolist() == [[float(i == column) for i in range(HALVES)]] * 3


def test_sources_read_it_beside_their_streams(tmp_path: Path) -> None:
    rows = np.arange(40, dtype=np.float32).reshape(20, 2)
    (tmp_path / "game").mkdir()
    np.save(tmp_path / "game" / "2_x.npy", rows)
    streams = {"x": {"file": "x", "fps": 2, "width": 2, "offset": 1.0}}
    source = FeatureSource(streams, tmp_path, match_clock=True)
    inputs, phase = source.read(SECOND, [Clip(0, 4)], 3)
    assert shown(inputs[STREAM])[0].tolist() == pytest.approx([3.0, 3.5, 4.0])
    assert phase[STREAM].tolist() == [0.0]
    later, _ = Excerpt(source, start=5.0).read(SECOND, [Clip(0, 0)], 2)
    assert shown(later[STREAM])[0].tolist() == pytest.approx([5.0, 5.5]), "the time of the half, not of the excerpt"
    spec = InputSpec.load(source.spec.to_dict())
    assert spec.layout[STREAM] == {"fps": 2.0, "clock_fps": 2.0, "groups": [WIDTH]}
    arrays = ArraySource([rows, rows], 2, spec)
    assert torch.equal(arrays.read(arrays.halves, [Clip(1, 4)], 3)[0][STREAM], inputs[STREAM])


def test_networks_see_none_unless_asked_for(tmp_path: Path) -> None:
    source = FeatureSource({"x": {"file": "x", "fps": 2, "width": 2}}, tmp_path)
    assert STREAM not in source.spec.layout
    assert "match_clock" not in source.spec.to_dict()


def test_a_stream_cannot_take_its_name() -> None:
    with pytest.raises(UserError, match="is the name of the match clock"):
        FeatureSource({STREAM: {"file": "x", "fps": 2, "width": 2}}, match_clock=True)
