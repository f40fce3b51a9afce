"""From several readings to one answer."""
