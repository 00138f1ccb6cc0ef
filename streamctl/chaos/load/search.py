"""Which rates are tried: they double until one is not sustained; then the span is halved."""

from collections.abc import Callable


def search(attempt: Callable[[float], bool], *, first: float, halvings: int) -> float | None:
    """The highest rate that holds: doubled until one does not, then halved in between.

    Args:
        attempt: tries a rate, and says whether it was sustained.
        first: the first rate.
        halvings: how often the span is halved.
    """
    low, high = 0.0, first
    while attempt(high):
        low, high = high, high * 2
    for _ in range(halvings if low else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if attempt(middle) else (low, middle)
    return low or None
