"""Settings of the property tests."""

from hypothesis import settings

# A busy machine must not turn a slow example into a failure.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
