"""From several readings of one image to one answer."""
