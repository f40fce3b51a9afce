"""Everything that needs torch: the detector, its server, its training."""
