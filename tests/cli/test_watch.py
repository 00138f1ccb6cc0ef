"""`--watch`: looks go on after one that failed."""

import json

import pytest

from streamctl.cli import command
from streamctl.cli.command import Here
from streamctl.cli.render import Output
from streamctl.errors import BrokerUnreachable, CheckpointNotFound, Refused, SettingsInvalid


@pytest.fixture
def watched(monkeypatch):
    """The reports of looks, each an answer or an error, and how long was waited in between."""

    def watch(*looks, output=Output.TSV):
        left, slept = list(looks), []

        def look():
            found = left.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        def sleep(seconds):
            slept.append(seconds)
            if not left:
                raise KeyboardInterrupt

        monkeypatch.setattr(command.time, "sleep", sleep)
        reports = []
        try:
            for report in Here(path="lag", output=output).watch(look, every=5):
                reports.append(report)  # noqa: PERF402 - what came before an interruption counts
        except KeyboardInterrupt:
            pass
        return reports, slept

    return watch


def test_a_look_that_fails_is_told_and_the_next_one_is_taken(watched, capsys):
    down = BrokerUnreachable("no answer", hint="Check the address.")
    assert watched(1, down, CheckpointNotFound("no query has begun"), 2) == ([1, 2], [5] * 4)
    told = "error: no answer\nCheck the address.\nerror: no query has begun\n"
    assert capsys.readouterr().err == told


def test_errors_of_a_watch_are_objects_beside_its_json(watched, capsys):
    watched(BrokerUnreachable("no answer"), output=Output.JSON)
    told = json.loads(capsys.readouterr().err)
    assert (told["command"], told["error"]["message"]) == ("lag", "no answer")


@pytest.mark.parametrize("error", [SettingsInvalid("no such setting"), Refused("not ours")])
def test_what_the_next_look_would_find_again_ends_it(watched, error):
    with pytest.raises(type(error), match=error.message):
        watched(1, error, 2)
