"""One external thing: a broker."""
