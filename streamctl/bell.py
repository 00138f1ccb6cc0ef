"""A bell that may be rung from anywhere, from a signal handler too.

`threading.Event` may not: a handler runs in the main thread between two of its steps, also while
that thread holds the event's lock in `wait` or `clear`, and then waits for itself for ever. The
`put` of `queue.SimpleQueue` is reentrant.
"""

from queue import Empty, SimpleQueue


class Bell:
    """Wakes one thread that waits, or is about to."""

    def __init__(self) -> None:
        self._rung: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """Let the present `wait` return, or the next."""
        self._rung.put(None)

    def wait(self, seconds: float) -> None:
        """Wait until it is rung, at most so long."""
        try:
            self._rung.get(timeout=max(0.0, seconds))
        except Empty:
            return
        while not self._rung.empty():  # nobody else takes from it
            self._rung.get()
