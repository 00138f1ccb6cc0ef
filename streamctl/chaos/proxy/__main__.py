"""`python -m streamctl.chaos.proxy`: the proxy as a process of its own."""

import argparse
from pathlib import Path

from streamctl.chaos.proxy.control import serve


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m streamctl.chaos.proxy", description=__doc__)
    parser.add_argument("--to", type=_address, required=True, metavar="HOST:PORT")
    parser.add_argument(
        "--at", type=_address, required=True, metavar="HOST:PORT", help="port 0 for a free one"
    )
    parser.add_argument("--control", type=Path, required=True, help="path of its Unix socket")
    parser.add_argument("--note", type=Path, required=True, help="written once it listens")
    parser.add_argument("--seed", type=int, default=0, help="of the jitter")
    given = parser.parse_args()
    serve(given.to, at=given.at, control=given.control, note=given.note, seed=given.seed)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    main()
