"""HTTP: the webhook, the images, and what programs ask."""
