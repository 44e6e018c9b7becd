"""Pooling: what frames and clusters give one by one, in stride-1 inference as in single windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spotter.errors import UserError
from spotter.models import pooling
from spotter.models.blocks.window import WindowHead, WindowTargets
from spotter.models.pooling import POOLS, Pooling, Vlad
from tests.helpers.networks import LAYOUT, both, clips
from tests.helpers.window_fitting import CLASSES, TWO, WIDE, check_clips, check_stretch, fit, four_windows, run

every_pool = pytest.mark.parametrize(("pool", "aware"), [(pool, aware) for pool in POOLS for aware in (False, True)])


def network(layout: Any = LAYOUT, window: int = 6, dim: int | None = 8, **more: Any) -> Pooling:
    torch.manual_seed(0)
    return Pooling(layout, window, **{"clusters": 4, "dim": dim, **more})


def slow_vlad(window: Tensor, vlad: Vlad) -> np.ndarray:
    """Describe one window (T, D) frame by frame and cluster by cluster."""
    weight = vlad.assignment.weight.detach().double().numpy()
    rows, described = window.double().numpy(), []
    for cluster in range(len(weight)):
        total = np.zeros(rows.shape[1])
        for row in rows:
            unit = row / max(np.linalg.norm(row), 1e-12)
            shares = np.exp([unit @ each for each in weight])
            centre = 0 if vlad.centres is None else vlad.centres[cluster].detach().double().numpy()
            total += shares[cluster] / shares.sum() * (unit - centre)
        described.append(total / max(np.linalg.norm(total), 1e-12))
    flat = np.concatenate(described)
    return flat / np.linalg.norm(flat)


@given(
    st.integers(1, 6), st.integers(1, 5), st.integers(2, 7), st.integers(1, 4), st.booleans(), st.integers(0, 2**31 - 1)
)
def test_vlad_is_what_clusters_and_frames_give_one_by_one(
    window: int, clusters: int, dim: int, count: int, residual: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    vlad = Vlad(dim, clusters, residual)
    rows = 5 * torch.randn(2, count + window - 1, dim)
    with torch.no_grad():
        found = vlad(rows, window)
    assert found.shape == (2, count, clusters * dim)
    for clip in range(2):
        for first in range(count):
            expected = slow_vlad(rows[clip, first : first + window], vlad)
            np.testing.assert_allclose(found[clip, first].numpy(), expected, atol=2e-4)


@pytest.mark.parametrize("window", [5, 6])
@every_pool
def test_a_stretch_gives_at_each_frame_what_its_window_gives(pool: str, aware: bool, window: int) -> None:
    check_stretch(network(window=window, pool=pool, aware=aware), window)


@every_pool
def test_clips_of_all_kinds(pool: str, aware: bool) -> None:
    check_clips(lambda layout: network(layout, pool=pool, aware=aware), 6)


@pytest.mark.parametrize("pool", ["max", "mean"])
def test_extremes_and_means(pool: str) -> None:
    batch = clips(3, 6)
    rows = batch["inputs"]["a"]
    plain = {"max": rows.amax(1), "mean": rows.mean(1)}[pool]
    torch.testing.assert_close(run(network(pool=pool, dim=None), batch)[:, 0], plain)


def test_halves_are_pooled_on_their_own() -> None:
    net, batch = network(pool="max", dim=None, aware=True, window=5), clips(2, 5)
    rows = batch["inputs"]["a"]
    expected = torch.cat((rows[:, :2].amax(1), rows[:, 2:].amax(1)), dim=-1)  # an odd middle belongs to what follows
    assert torch.equal(run(net, batch)[:, 0], expected)
    whole, halves = network(), network(aware=True)
    assert whole.width == halves.width == 4 * 8
    assert len(halves.pool.parts[0].centres) == 2
    before, after = (slow_vlad(part, vlad) for part, vlad in _halves(halves, clips(1, 6)))
    found = run(halves, clips(1, 6))[0, 0].detach().numpy()
    np.testing.assert_allclose(found, np.concatenate((before, after)), atol=2e-5)


def _halves(net: Pooling, batch: Any) -> Any:
    rows = net.embed(batch["inputs"], batch["phase"], batch["valid"])[0].detach()
    return zip((rows[:3], rows[3:]), net.pool.parts, strict=True)


def test_rows_of_the_pooled_width_are_taken_as_they_are() -> None:
    assert not list(network(pool="max", dim=7).parameters())
    assert not list(network(pool="max", dim=None).parameters())
    assert network(TWO, pool="max", dim=None).width == 12
    assert sum(p.numel() for p in network(pool="max", dim=8).parameters()) == (4 + 3) * 8 + 2 * 8
    assert len(list(network(TWO, pool="max", dim=12).parameters())) > 0, "two streams are never left as they are"


def test_normalised_extractors_weigh_the_same_however_loud() -> None:
    loud, quiet = clips(1, 6), clips(1, 6)
    loud["inputs"]["a"] = 100 * quiet["inputs"]["a"]
    torch.testing.assert_close(
        run(network(normalise=True), loud), run(network(normalise=True), quiet), atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize("aware", [False, True])
def test_long_clips_are_described_few_at_a_time(aware: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    net, batch = network(aware=aware), clips(5, 20)
    expected = run(net, batch)
    monkeypatch.setattr(pooling, "AT_ONCE", 2 * 20 * 6 * 8)
    torch.testing.assert_close(run(net, batch), expected)
    monkeypatch.setattr(pooling, "AT_ONCE", 1)
    (gradient,) = torch.autograd.grad(run(net, batch)[..., 0].sum(), [net.pool.parts[0].assignment.weight])
    assert gradient.abs().sum() > 0


@every_pool
def test_four_windows_are_learned_by_heart(pool: str, aware: bool) -> None:
    net = network(WIDE, 8, 16, pool=pool, aware=aware)
    head, batch = WindowHead(net.width, CLASSES, 8), four_windows(WindowTargets(CLASSES, 8))
    first, last, output = fit(net, head, batch, 150, 2e-2)
    assert last < 0.05 < first
    logits, displacement = both(head.predict(output))
    assert displacement is None
    assert logits.shape == (4, 1, CLASSES)
    assert [int(logits[clip, 0].argmax()) for clip in (0, 1, 3)] == [0, 1, 2]
    assert logits[2].max() < 0, "the window without a spot"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"pool": "sum"}, r"model\.network\.pool: 'sum'"),
        ({"clusters": 5, "aware": True}, r"model\.network\.clusters: .*even"),
        ({"clusters": 0}, r"model\.network\.clusters"),
        ({"window": 1, "aware": True}, r"model\.clips\.clip_len"),
    ],
)
def test_mistakes_name_their_key(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        network(**arguments)
