"""How well a model finds what is there."""
