"""How the checkpoint grew."""

from datetime import timedelta

import pytest

from streamctl.observe.growth import Growth, Sizes
from streamctl.observe.sizes import Usage
from tests.samples import NOW, sample, status


def sized(minutes: float, size_bytes: int | None, **changes):
    usage = [] if size_bytes is None else [Usage(kind="state", files=1, size_bytes=size_bytes)]
    at = NOW + timedelta(minutes=minutes)
    return sample(at, query={"sizes": usage}, **changes)


def test_growth_is_from_the_oldest_size_of_two_hours_to_now(tmp_path):
    sizes = Sizes(tmp_path)
    for minutes in range(200):
        sizes.add(sized(minutes, 1000 + minutes))
    grown = Sizes(tmp_path).growth(sized(200, 1300))
    assert grown is not None
    assert (grown.grown_bytes, grown.seconds) == (220, 7200.0), "another process reads it"
    assert len(grown.sizes_bytes) == 121


def test_it_is_written_once_a_minute(tmp_path):
    sizes = Sizes(tmp_path)
    for second in range(0, 121, 5):
        sizes.add(sized(second / 60, 1000 + second))
    assert Sizes(tmp_path).growth(sized(3, 2000)).sizes_bytes == [1000, 1060, 1120, 2000]


def test_what_is_not_known_is_no_growth(tmp_path):
    sizes = Sizes(tmp_path)
    assert sizes.growth(sized(0, 1000)) is None, "no size before"
    sizes.add(sized(0, None))
    sizes.add(sized(0, 1000))
    assert sizes.growth(sized(1, None)) is None
    assert sizes.growth(sized(2, 900)) == Growth(
        grown_bytes=-100, seconds=120.0, sizes_bytes=[1000, 900]
    )


@pytest.mark.parametrize("elsewhere", [{"generation": "0002"}, {"checkpoint_location": "/d"}])
def test_sizes_of_another_place_are_not_compared(tmp_path, elsewhere):
    sizes = Sizes(tmp_path)
    sizes.add(sized(0, 1000))
    assert sizes.growth(sized(5, 10, status=status(**elsewhere))) is None


def test_a_damaged_file_begins_anew(tmp_path):
    (tmp_path / "sizes.json").write_text("{half")
    sizes = Sizes(tmp_path)
    sizes.add(sized(0, 1000))
    assert Sizes(tmp_path).growth(sized(1, 1001)).grown_bytes == 1
