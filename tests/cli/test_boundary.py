"""The error boundary: what other packages raise is told as what it is."""

import pytest

from streamctl.cli.command import _unexpected


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("botocore.exceptions", "the object store failed: no answer"),
        ("aiohttp.client_exceptions", "the object store failed: no answer"),
        ("somewhere.else", "unexpected Broken: no answer"),
    ],
)
def test_an_object_store_that_fails_is_no_defect_of_ours(module, message):
    error = type("Broken", (Exception,), {"__module__": module})("no\nanswer")
    told = _unexpected(error)
    assert " ".join(told.message.split()) == message
    assert ("defect" in told.hint) is (module == "somewhere.else")
