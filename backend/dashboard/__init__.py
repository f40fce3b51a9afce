"""The pages: sign-in, and where a reader starts."""
