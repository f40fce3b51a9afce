"""The demonstration: sample radiographs, simulated readers, and the whole loop on one machine."""
