"""Radiographs that are drawn: an anatomy from a seed, findings where a layout puts their boxes."""

from benchmarks.phantom.layouts import Layouts, of_readings, sampled
from benchmarks.phantom.radiograph import Phantoms, render, render_all

__all__ = ["Layouts", "Phantoms", "of_readings", "render", "render_all", "sampled"]
