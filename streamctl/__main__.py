"""`streamctl`, and `python -m streamctl`."""

import atexit
import gc
import sys

from streamctl import __version__


def main() -> None:
    """Run the CLI. `--version` answers before anything else is imported."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"streamctl {__version__}\n")
        return
    from streamctl.cli.app import app

    atexit.register(gc.freeze)  # the end of the process frees all: nobody need look for cycles
    app()


if __name__ == "__main__":
    main()
