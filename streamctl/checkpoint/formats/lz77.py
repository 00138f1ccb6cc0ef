"""Snappy and LZF blocks. Rare as state codecs, so plain Python instead of two more dependencies.

Follows the published Snappy format description and LibLZF's block format.
"""


def snappy(data: bytes, *, limit: int) -> bytes:
    """Decode one raw Snappy block.

    Raises:
        ValueError, IndexError: damaged, or longer than `limit` bytes.
    """
    size, at = _varint(data)
    if size > limit:
        raise ValueError(f"{size} bytes")
    out = bytearray()
    end = len(data)
    while at < end:
        tag = data[at]
        at += 1
        kind = tag & 3
        if kind == 0:
            length = tag >> 2
            if length >= 60:  # noqa: PLR2004  60..63: the length follows in 1..4 bytes
                width = length - 59
                length = int.from_bytes(data[at : at + width], "little")
                at += width
            length += 1
            if at + length > end:
                raise ValueError("cut")
            out += data[at : at + length]
            at += length
        else:
            width = (0, 1, 2, 4)[kind]
            back = int.from_bytes(data[at : at + width], "little")
            length = (tag >> 2) + 1
            if kind == 1:
                back |= (tag & 0xE0) << 3
                length = ((tag >> 2) & 7) + 4
            if at + width > end:
                raise ValueError("cut")
            at += width
            _copy(out, back, length)
        if len(out) > size:
            raise ValueError("longer than it says")
    if len(out) != size:
        raise ValueError("shorter than it says")
    return bytes(out)


def lzf(data: bytes, *, size: int) -> bytes:
    """Decode one LZF block of a known plain size.

    Raises:
        ValueError, IndexError: damaged.
    """
    out = bytearray()
    at, end = 0, len(data)
    while at < end:
        control = data[at]
        at += 1
        if control < 32:  # noqa: PLR2004  a run of literals
            if at + control + 1 > end:
                raise ValueError("cut")
            out += data[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        if length == 7:  # noqa: PLR2004  a longer match: one more byte
            length += data[at]
            at += 1
        back = ((control & 0x1F) << 8) + data[at] + 1
        at += 1
        _copy(out, back, length + 2)
        if len(out) > size:
            raise ValueError("longer than it says")
    if len(out) != size:
        raise ValueError("shorter than it says")
    return bytes(out)


def _copy(out: bytearray, back: int, length: int) -> None:
    start = len(out) - back
    if back <= 0 or start < 0:
        raise ValueError("refers to before the beginning")
    piece = out[start : start + length]
    while len(piece) < length:  # the match overlaps what it makes
        piece += piece[: length - len(piece)]
    out += piece


def _varint(data: bytes) -> tuple[int, int]:
    value = 0
    for at in range(5):
        value |= (data[at] & 0x7F) << (7 * at)
        if data[at] < 128:  # noqa: PLR2004  the last byte of a varint
            return value, at + 1
    raise ValueError("a length beyond 32 bits")
