"""Rendered matches: a data tree in the layout of ball-2023 whose videos need a network that sees motion."""

from spotter.simulation.video.tree import DEMO_VIDEO_VERSION, simulate_video

__all__ = ["DEMO_VIDEO_VERSION", "simulate_video"]
