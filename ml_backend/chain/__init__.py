"""The steps of the nightly chain that need torch, one module each, in the order of the chain."""
