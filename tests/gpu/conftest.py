"""Tests of what only a GPU shows; ``make gpu`` runs them, anywhere else they are skipped.

``GPU_TESTS_DEVICE=cpu`` runs them on the CPU, where they show no more than that they run.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import torch
from gpu_parts import DEVICE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all where there is no GPU."""
    if DEVICE.type == "cuda" and not torch.cuda.is_available():
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs a GPU: torch.cuda.is_available() is False"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Print an error as soon as it is there: a lent machine may be taken away before the end."""
    if report.failed:
        print(f"\n{report.longreprtext}", flush=True)  # noqa: T201


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Start every test with fixed random numbers, and leave nothing on the device for the next."""
    torch.manual_seed(0)
    yield
    if DEVICE.type == "cuda":
        torch.cuda.set_sync_debug_mode("default")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    gc.collect()
    if DEVICE.type == "cuda":
        torch.cuda.empty_cache()
