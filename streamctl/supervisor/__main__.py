"""`python -m streamctl.supervisor RUN_DIRECTORY`: what `streamctl start` leaves running."""

import sys
from pathlib import Path

from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings
from streamctl.supervisor.supervise import Supervisor


def main(path: str) -> int:
    """Supervise the run whose settings stand in the run directory.

    The run directory's lock is held by a file descriptor inherited from `start`.
    """
    run = RunDirectory(Path(path))
    settings = Settings.model_validate_json(run.settings_file.read_text(encoding="utf-8"))
    return int(Supervisor(run, settings).run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
