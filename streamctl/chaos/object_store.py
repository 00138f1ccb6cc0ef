"""An object store of an experiment's own: S3's protocol by moto, behind the fault proxy.

It is a process that may outlive its starter, found again by its note. Before moto sees a request, a
file is looked at that says how many of them are answered with an error, as a store does that is
overloaded: 503 `SlowDown`, or 500 `InternalError`.
"""

import argparse
import json
import os
import random
import shutil
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from streamctl.chaos.proxy.control import ChildProxy, start_child
from streamctl.errors import DeadlinePassed, NotFound, StreamctlError, Unsupported
from streamctl.reports import as_json
from streamctl.rundir.files import read_file, replace_file
from streamctl.sandbox import process
from streamctl.sandbox.config import HOST
from streamctl.sandbox.lifecycle import free_port

BUCKET = "backups"
_START_SECONDS = 60.0
_CODES = {500: "InternalError", 503: "SlowDown"}
Answer = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], Answer], Iterable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Where a store is found."""

    pid: int
    process_started: float
    port: int


class ObjectStore:
    """A store that runs, known by its note.

    Args:
        directory: holds the note, the proxy's own and the faults.

    Raises:
        NotFound: no store was started there.
    """

    def __init__(self, directory: Path) -> None:
        note = read_file(directory / "store.json", Note)
        if note is None:
            raise NotFound("no object store was started", hint="Use store.start first.")
        self._directory, self._note = directory, note
        self.proxy = ChildProxy(directory)

    @property
    def environ(self) -> dict[str, str]:
        """Variables that lead S3's clients here."""
        return {
            "AWS_ENDPOINT_URL_S3": f"http://{HOST}:{self.proxy.port}",
            "AWS_ACCESS_KEY_ID": "chaos",
            "AWS_SECRET_ACCESS_KEY": "chaos",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def answer_errors(self, status: int, share: float) -> None:
        """Answer a share of all requests with an error.

        Raises:
            Unsupported: a status that no store answers with.
        """
        if status not in _CODES:
            raise Unsupported(f"no store answers {status}", hint="There are 500 and 503.")
        _write_errors(self._directory, status, share)

    def answer_rightly(self) -> None:
        """Answer every request as it should be."""
        (self._directory / "errors.json").unlink(missing_ok=True)

    def end(self) -> None:
        """End both processes and remove their files."""
        self.proxy.end()
        process.end(self._note.pid, self._note.process_started, patience_seconds=2)
        shutil.rmtree(self._directory, ignore_errors=True)


def start_store(directory: Path) -> ObjectStore:
    """Start a store with an empty bucket, and wait until it answers.

    Raises:
        Unsupported: a package is missing.
        StreamctlError: it did not start; with its words.
    """
    missing = [name for name in ("moto", "flask", "s3fs") if find_spec(name) is None]
    if missing:
        raise Unsupported(
            f"the object store needs the package {missing[0]}",
            hint="Run `pip install 'moto[server]' s3fs`.",
        )
    directory.mkdir(parents=True, exist_ok=True)
    port, output = free_port(), directory / "store.out"
    command = [sys.executable, "-m", "streamctl.chaos.object_store"]
    command += ["--port", str(port), "--directory", str(directory)]
    pid = process.spawn(command, output=output)
    note = Note(pid=pid, process_started=process.start_time(pid) or 0.0, port=port)
    replace_file(directory / "store.json", json.dumps(as_json(note)) + "\n")
    _make_bucket(note, output)
    start_child(directory, (HOST, port))
    return ObjectStore(directory)


def _make_bucket(note: Note, output: Path) -> None:
    url = f"http://{HOST}:{note.port}/{BUCKET}"
    deadline = time.monotonic() + _START_SECONDS
    while process.is_running(note.pid, note.process_started):
        with suppress(OSError):
            request = urllib.request.Request(url, method="PUT")
            urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
            return
        if time.monotonic() > deadline:
            raise DeadlinePassed(f"the object store did not answer within {_START_SECONDS:g} s")
        time.sleep(0.1)
    words = output.read_text("utf-8").strip().splitlines()
    raise StreamctlError(f"the object store did not start: {(words or ['no word'])[-1]}")


def _write_errors(directory: Path, status: int, share: float) -> None:
    replace_file(directory / "errors.json", json.dumps({"status": status, "share": share}) + "\n")


class Erring:
    """Answers a share of requests with an error, the others by an application.

    Args:
        application: WSGI.
        directory: where the file with the faults is, or is not.
        chance: draws the requests that fail.
    """

    def __init__(self, application: Application, directory: Path, chance: random.Random) -> None:
        self._application, self._chance = application, chance
        self._file = directory / "errors.json"

    def __call__(self, environ: dict[str, Any], answer: Answer) -> Iterable[bytes]:
        """Answer one request."""
        try:
            wanted = json.loads(self._file.read_text("utf-8"))
        except FileNotFoundError:
            return self._application(environ, answer)
        if self._chance.random() >= wanted["share"]:
            return self._application(environ, answer)
        code = _CODES[wanted["status"]]
        answer(f"{wanted['status']} {code}", [("Content-Type", "application/xml")])
        return [f"<Error><Code>{code}</Code><Message>Reduce your request rate.</Message></Error>"
                .encode()]  # fmt: skip


def main() -> None:
    """Serve until SIGTERM."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    parser = argparse.ArgumentParser(prog="python -m streamctl.chaos.object_store")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    given = parser.parse_args()
    chance = random.Random(given.port)  # noqa: S311 - not secret
    application = DomainDispatcherApplication(create_backend_app)
    run_simple(HOST, given.port, Erring(application, given.directory, chance), threaded=True)
    os._exit(0)


if __name__ == "__main__":
    main()
