"""The real supervisor with `fake_driver.py`: `fake_supervisor.py RUN_DIRECTORY BEHAVIOUR...`.

Each attempt takes the next behaviour; the last one is repeated.
"""

import os
import sys
from pathlib import Path

from streamctl.errors import BrokerUnreachable
from streamctl.job.launcher import Driver
from streamctl.job.scratch import Scratch
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings
from streamctl.supervisor.supervise import Supervisor

RUN = RunDirectory(Path(sys.argv[1]))
BEHAVIOURS = sys.argv[2:]


class FakeAttempts:
    generation = "0001"

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def ping(self) -> None:
        if (RUN.path / "broker-is-down").exists():
            raise BrokerUnreachable("no answer from Kafka at nowhere", hint="Start it.")

    def prepare(self, attempt: int, *, trial_records: int = 0) -> None:
        (RUN.path / "trial").write_text(str(trial_records))
        self.behaviour = BEHAVIOURS[min(attempt, len(BEHAVIOURS)) - 1]
        if self.behaviour == "unreachable":
            raise BrokerUnreachable("no answer from Kafka at nowhere", hint="Start it.")

    def spawn(self, *, standby: bool = False) -> Driver:
        script = str(Path(__file__).with_name("fake_driver.py"))
        command = [sys.executable, script, str(RUN.path), self.behaviour, str(int(standby))]
        return Driver(
            command, directory=Path.cwd(), environ=os.environ, scratch=Scratch(RUN.temporary)
        )

    def finished(self, _: int) -> None:
        pass


lock = RUN.try_lock()
assert lock is not None
settings = Settings.model_validate_json(RUN.settings_file.read_text())
sys.exit(int(Supervisor(RUN, settings, attempts=FakeAttempts).run()))  # type: ignore[arg-type]
