"""Configs of spotter, installed as ``spotter.conf``."""
