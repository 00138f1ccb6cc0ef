"""`python -m scripts.benchmarks NAME... [--runs N] [--out FILE]`."""

import argparse
import json
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from scripts.benchmarks import (
    backup,
    catch_up,
    checkpoint_inspect,
    cli,
    hot_backup,
    lag,
    observer,
    produce,
    proxy,
    recovery,
    reprocess,
    start,
)
from scripts.benchmarks.compare import Result, show
from scripts.benchmarks.machine import versions
from scripts.benchmarks.stage import Stage
from streamctl.errors import StreamctlError

BENCHMARKS = {
    "start": start.run,
    "recovery": recovery.run,
    "catch_up": catch_up.run,
    "reprocess": reprocess.run,
    "produce": produce.run,
    "cli": cli.run,
    "inspect": checkpoint_inspect.run,
    "lag": lag.run,
    "observer": observer.run,
    "backup": backup.run,
    "hot_backup": hot_backup.run,
    "proxy": proxy.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="+", choices=BENCHMARKS, metavar="NAME",
                        help=", ".join(BENCHMARKS))  # fmt: skip
    parser.add_argument("--runs", type=int, default=5, help="of each side (default: 5)")
    parser.add_argument("--out", type=Path, help="JSON file; default: a temporary one")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    machine, results = versions(), []
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    try:
        with Stage() as stage:
            for name in dict.fromkeys(options.names):
                results.append(BENCHMARKS[name](stage, max(1, options.runs)))
                print(show(results[-1]), flush=True)
    except KeyboardInterrupt:
        return 130
    except StreamctlError as error:
        print(f"error: {error.message}\n{error.hint}", file=sys.stderr)
        return int(error.exit_code)
    finally:
        if results:
            print(f"\n{_write(options.out, machine, results)}")
    return 0


def _write(out: Path | None, machine: dict[str, object], results: list[Result]) -> Path:
    """All figures as JSON; what was measured before an interruption is kept."""
    path = out or Path(tempfile.mkdtemp(prefix="streamctl-bench-")) / "bench.json"
    found = [asdict(result) | {"goals": result.judged()} for result in results]
    path.write_text(json.dumps({"machine": machine, "results": found}, indent=1) + "\n", "utf-8")
    return path


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
