"""The consensus against the methods that it is compared with, on a small crowd."""

from benchmarks.consensus import OURS, headline, simulated


class TestSimulated:
    def test_ours_is_the_best_and_the_best_calibrated(self) -> None:
        by_method, _ = simulated(range(1), images=1500, dominant=False)

        figures = headline("sim", by_method)
        assert figures["sim_map40"] > figures["sim_map40_best_baseline"] + 0.03
        assert figures["sim_f1"] > figures["sim_f1_best_baseline"]
        assert figures["sim_brier"] < 0.8 * figures["sim_brier_best_baseline"]
        assert figures["sim_ece"] < 0.06 < figures["sim_ece_best_baseline"]
        assert by_method[OURS]["bad_readers_last"] > 0.95
