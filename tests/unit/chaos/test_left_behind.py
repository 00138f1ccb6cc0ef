"""What a killed run did to the machine itself is taken away by its directory alone."""

import json
import subprocess
from types import SimpleNamespace

import pytest

from streamctl.chaos.cgroup import Group, bound_processors
from streamctl.chaos.cleanup import end_what_was_left
from streamctl.chaos.namespace import make_namespace
from streamctl.chaos.verbs.cpu import NOTE
from streamctl.chaos.verbs.resources import small_disk
from streamctl.errors import Unsupported
from streamctl.rundir.files import read_file


def test_namespace_control_group_and_disk_go(tmp_path):
    project = tmp_path / "001-e" / "project"
    (tmp_path / "kafka").mkdir()
    note = {"kafka_version": "4", "port": 1, "controller_port": 2}
    (tmp_path / "kafka" / "sandbox.json").write_text(json.dumps(note))
    try:
        with subprocess.Popen(["/bin/sleep", "60"]) as driver:
            make_namespace(tmp_path / "namespace.json")
            bound_processors([driver.pid], 0.5, note=project.parent / NOTE)
            small_disk(SimpleNamespace(project=project), megabytes=1, place="logs")
            driver.kill()
    except Unsupported as error:
        end_what_was_left(tmp_path)
        pytest.skip(error.message)
    group = read_file(project.parent / NOTE, Group)
    assert group
    assert end_what_was_left(tmp_path)
    assert not group.path.exists()
    assert not (project / ".streamctl" / "default" / "logs").is_mount()
    assert [path.name for path in tmp_path.iterdir()] == ["001-e"]
    assert not end_what_was_left(tmp_path)
