"""Settings: one model, and the sources that fill it."""
