"""Reading crowds with known truth, for measuring what consensus makes of them."""

from benchmarks.simulated_crowd.crowd import SimulatedCrowd, simulate
from benchmarks.simulated_crowd.lesions import Lesions
from benchmarks.simulated_crowd.parameters import CrowdParameters, fitted
from benchmarks.simulated_crowd.readers import SimulatedReaders

__all__ = [
    "CrowdParameters",
    "Lesions",
    "SimulatedCrowd",
    "SimulatedReaders",
    "fitted",
    "simulate",
]
