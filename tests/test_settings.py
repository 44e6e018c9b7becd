"""How halves are cut into clips, and what anchors weigh where clips overlap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.clips import window_starts
from spotter.errors import UserError
from spotter.inference.stitch import clip_weights
from spotter.settings import ClipConfig

PLANS = st.builds(
    lambda margin, inner, overlap: ClipConfig(7, inner + 2 * margin, overlap, margin),
    st.integers(0, 8), st.integers(1, 40), st.floats(0, 0.99),
)  # fmt: skip


@given(PLANS, st.integers(1, 200), st.integers(1, 3))
def test_every_anchor_of_a_half_counts(plan: ClipConfig, length: int, upsample: int) -> None:
    """Whatever the overlap and margin, no anchor is left without a weight."""
    weights, total = clip_weights(plan, upsample), np.zeros(length * upsample)
    assert len(weights) == plan.eval_len * upsample
    for start in window_starts(length, plan.eval_len, plan.stride, plan.margin):
        at = start * upsample + np.arange(len(weights))
        inside = (at >= 0) & (at < len(total))
        total[at[inside]] += weights[inside]
    assert total.min() > 0


@given(PLANS)
def test_plan_is_plain_and_comes_back(plan: ClipConfig) -> None:
    """Checkpoints hold a plan as plain values."""
    assert ClipConfig(**plan.to_dict()) == plan
    assert plan.stride >= 1


def test_defaults() -> None:
    """Evaluation clips are as long as training clips unless they are told otherwise."""
    assert (ClipConfig(64).eval_len, ClipConfig(64).stride) == (64, 32)
    assert (ClipConfig(7, 70, 0.0, 7).stride, clip_weights(ClipConfig(7, 70, 0.0, 7), 1).sum()) == (56, 56)


@pytest.mark.parametrize(
    "wrong",
    [{"clip_len": 0}, {"clip_len": 9, "margin": 5}, {"clip_len": 9, "overlap": 1}, {"clip_len": 9, "overlap": -1}],
)
def test_what_cannot_be(wrong: dict[str, float]) -> None:
    """Clips without frames, or that never move on, are refused."""
    with pytest.raises(UserError, match=r"model\.clips"):
        ClipConfig(**wrong)  # type: ignore[arg-type]


def test_unknown_key_of_clips() -> None:
    """It is named."""
    with pytest.raises(UserError, match=r"^model\.clips\.foo: unknown; its keys are clip_len, eval_len"):
        ClipConfig.load({"clip_len": 9, "foo": 1})
