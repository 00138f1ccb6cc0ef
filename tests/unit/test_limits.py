"""The floor of free space."""

from streamctl.settings.model import Settings
from streamctl.supervisor.limits import DiskFloor


def floor(tmp_path, *, bytes_, free, clock):
    settings = Settings.model_validate(
        {
            "checkpoint": {"location": str(tmp_path / "not" / "yet")},
            "output": {"location": "memory://elsewhere"},
            "limits": {"disk_floor_bytes": bytes_},
        }
    )
    return DiskFloor(settings, free_bytes=free, clock=clock)


def test_it_is_told_once_in_a_while_and_of_the_disk_that_is_there(tmp_path):
    asked, now = [], [0.0]

    def free(path):
        asked.append(path)
        return 5 << 20

    watched = floor(tmp_path, bytes_=6 << 20, free=free, clock=lambda: now[0])
    assert watched.reached() == f'"{tmp_path}/not/yet" has 5 MiB free, the floor is 6'
    assert watched.reached() == ""
    now[0] = 5.0
    assert watched.reached()
    assert asked == [tmp_path, tmp_path]


def test_enough_space_and_no_floor_are_silent(tmp_path):
    assert not floor(tmp_path, bytes_=5, free=lambda _: 5, clock=lambda: 0.0).reached()
    assert not floor(tmp_path, bytes_=0, free=lambda _: 0, clock=lambda: 0.0).reached()
