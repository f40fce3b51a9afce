"""How well a model finds what the readers marked."""
