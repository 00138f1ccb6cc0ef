"""A TCP proxy that makes a network slow, narrow, silent or unreliable."""
