"""Our own probes and actions, each by a name such as `kafka.kill`."""
