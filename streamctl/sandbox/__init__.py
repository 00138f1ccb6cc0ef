"""A real broker to try things on."""
