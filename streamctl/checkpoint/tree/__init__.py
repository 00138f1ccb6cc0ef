"""One Spark checkpoint on storage: its names, files, logs and state, as they stand."""
