"""From a dataset version to weights and their measured quality."""
