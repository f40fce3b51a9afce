"""The gate between a challenger and the place of the champion."""
