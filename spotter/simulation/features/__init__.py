"""Simulated matches: an official data tree whose features carry, and need, what real ones do."""

from spotter.simulation.features.tree import DEMO_VERSION, simulate

__all__ = ["DEMO_VERSION", "simulate"]
