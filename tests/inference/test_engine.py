"""The engine: any network over any source, without Lightning, alone and on several ranks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from spotter.data.features import FeatureSource
from spotter.errors import UserError
from spotter.inference.background import Background, in_background
from spotter.inference.engine import Compute, HostCopy, run
from spotter.settings import ClipConfig
from spotter.types import Arrays, Batch, Half, HalfRecord
from tests.conftest import on_ranks

CLIPS = ClipConfig(8, overlap=0.5, margin=1)
LENGTHS = (5, 40, 23)


@pytest.fixture
def records(tmp_path: Path) -> list[HalfRecord]:
    """Write features of three halves and return their records."""
    rng = np.random.default_rng(0)
    for number, length in enumerate(LENGTHS):
        (tmp_path / "game").mkdir(exist_ok=True)
        np.save(tmp_path / "game" / f"{number}_x.npy", rng.normal(size=(length, 3)).astype("f4"))
    return [HalfRecord(Half("game", number), length, None) for number, length in enumerate(LENGTHS)]


@pytest.fixture
def source(tmp_path: Path, records: list[HalfRecord]) -> FeatureSource:
    """Return what reads them."""
    return FeatureSource({"x": {"file": "x", "fps": 2, "width": 3}}, root=tmp_path)


def outputs(batch: Batch) -> Mapping[str, Tensor]:
    """Return the features themselves, twice as many anchors as frames, and whether a frame lies in the half."""
    features = batch["inputs"]["x"].repeat_interleave(2, 1)
    return {"features": features, "inside": batch["valid"].repeat_interleave(2, 1)[..., None]}


def test_named_arrays_of_every_half_in_order(source: FeatureSource, records: list[HalfRecord], tmp_path: Path) -> None:
    """What a network makes of single frames comes back, frame by frame, at any batch size."""
    fractions: list[float] = []
    found = list(run(outputs, source, records, CLIPS, 2, Compute(batch_size=3), progress=fractions.append))
    assert [half for half, _ in found] == [record.half for record in records]
    for half, arrays in found:
        rows = np.load(tmp_path / "game" / f"{half.number}_x.npy")
        np.testing.assert_allclose(arrays["features"], rows.repeat(2, 0), rtol=1e-6)
        np.testing.assert_array_equal(arrays["inside"], 1)
        assert arrays["features"].dtype == arrays["inside"].dtype == np.float32
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert not torch.is_inference_mode_enabled()


@pytest.mark.slow
def test_without_lightning() -> None:
    """The engine and what stands beside it start without Lightning and Hydra."""
    code = (
        "import sys, spotter.inference.engine, spotter.inference.predict, spotter.progress\n"
        "assert not {'pytorch_lightning', 'lightning_fabric', 'hydra', 'omegaconf'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_several_ranks_give_the_same_bits(source: FeatureSource, records: list[HalfRecord], tmp_path: Path) -> None:
    """Each half comes out of one rank, wherever the borders of the batches lie."""
    alone = dict(run(outputs, source, records, CLIPS, 2, Compute(batch_size=2)))

    def work(world: int) -> int:
        dist.init_process_group("gloo")
        found = run(outputs, source, records, CLIPS, 2, Compute(batch_size=2))
        arrays = {f"{half.number}": whole["features"] for half, whole in found}
        np.savez(tmp_path / f"{world}-{dist.get_rank()}.npz", **arrays)
        dist.destroy_process_group()
        return 0

    for world in (2, 3, 20):
        assert on_ranks(world, lambda world=world: work(world)) == [0] * world
        written = [dict(np.load(tmp_path / f"{world}-{rank}.npz")) for rank in range(world)]
        found = {name: array for arrays in written for name, array in arrays.items()}
        assert sum(map(len, written)) == len(records)
        for half, arrays in alone.items():
            assert found[str(half.number)].tobytes() == arrays["features"].tobytes()


def test_unknown_precision() -> None:
    with pytest.raises(UserError, match="precision: 'half' is unknown: give one of 32, 16, bf16"):
        Compute(precision="half")


def test_precision_is_that_of_the_computation(source: FeatureSource, records: list[HalfRecord]) -> None:
    """Products are of bfloat16, the arrays float32 all the same."""
    seen = []

    def product(batch: Batch) -> Mapping[str, Tensor]:
        made = batch["inputs"]["x"] @ torch.ones(3, 2)
        seen.append(made.dtype)
        return {"product": made}

    arrays: Arrays = dict(run(product, source, records, CLIPS, compute=Compute(precision="bf16")))[records[0].half]
    assert set(seen) == {torch.bfloat16}
    assert arrays["product"].dtype == np.float32


def test_host_copies_are_float32() -> None:
    copied = HostCopy({"a": torch.ones(2, 3, dtype=torch.bfloat16), "b": torch.zeros(1, requires_grad=True)})
    assert {name: array.dtype for name, array in copied.arrays().items()} == {"a": np.float32, "b": np.float32}


def test_background_keeps_the_order_and_goes_ahead_a_little_only() -> None:
    """Results come in order; no more than two items wait, so that memory stays bounded."""
    produced = 0

    def items() -> Iterator[int]:
        nonlocal produced
        while produced < 8:
            produced += 1
            yield produced

    for number, doubled in enumerate(in_background(lambda item: 2 * item, items()), 1):
        assert doubled == 2 * number
        assert produced - number <= 2


def test_errors_of_the_background_come_out() -> None:
    """The error is that of the item, and what comes after it is not begun."""
    begun: list[int] = []

    def fails(item: int) -> int:
        begun.append(item)
        if item == 2:
            raise OSError("the disk is full")
        return item

    found = in_background(fails, range(100))
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(OSError, match="the disk is full"):
        next(found)
    assert len(begun) < 7
    with Background(fails) as work:
        assert [*work.submit(5), *work.finish()] == [5]
