"""`python -m jobs --run-directory DIR` runs a job; `--check ENTRY` only looks at its entry."""

import argparse
import json
import sys
from pathlib import Path


def main() -> int:
    """Parse the arguments and answer the exit code."""
    parser = argparse.ArgumentParser(prog="python -m jobs", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--run-directory", type=Path, help="with settings.json and launch.json")
    what.add_argument("--check", metavar="ENTRY", help="say as JSON whether it is a job")
    parser.add_argument("--options", default="{}", help="job options as JSON, for --check")
    parser.add_argument("--watch-stdin", action="store_true", help="stop when it is closed")
    parser.add_argument("--standby", action="store_true", help="wait for a line before beginning")
    arguments = parser.parse_args()
    if arguments.check:
        from jobs.entry import check

        sys.stdout.write(check(arguments.check, json.loads(arguments.options)) + "\n")
        return 0
    from jobs.main import run
    from jobs.temporary import remove_at_exit

    remove_at_exit()
    return run(
        arguments.run_directory, watch_stdin=arguments.watch_stdin, standby=arguments.standby
    )


if __name__ == "__main__":
    sys.exit(main())
