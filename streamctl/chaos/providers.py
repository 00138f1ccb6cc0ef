"""Performs what operators bring themselves: programs and HTTP requests."""

import subprocess
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from streamctl.chaos.experiment import Http, Process
from streamctl.errors import StreamctlError, Unsupported

_TEXT_BYTES = 64 * 1024


def perform(provider: Process | Http) -> dict[str, Any]:
    """Run the program or send the request; its answer.

    Raises:
        StreamctlError: as `run_process` and `request`.
    """
    return run_process(provider) if isinstance(provider, Process) else request(provider)


def run_process(process: Process) -> dict[str, Any]:
    """Run a program; its answer is `status` (the exit code), `stdout` and `stderr`.

    Raises:
        StreamctlError: it cannot be started, or does not end in time.
    """
    try:
        done = subprocess.run(
            process.command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=process.timeout_seconds,
            check=False,
        )
    except OSError as error:
        raise StreamctlError(f'cannot run "{process.command[0]}": {error.strerror}') from error
    except subprocess.TimeoutExpired:
        name, seconds = process.command[0], process.timeout_seconds
        raise StreamctlError(f'"{name}" did not end within {seconds:g} s') from None
    return {
        "status": done.returncode,
        "stdout": done.stdout[-_TEXT_BYTES:],
        "stderr": done.stderr[-_TEXT_BYTES:],
    }


def request(http: Http) -> dict[str, Any]:
    """Send a request; its answer is `status`, `headers` and `body`.

    Raises:
        Unsupported: not http or https.
        StreamctlError: no answer.
    """
    if urlsplit(http.url).scheme not in {"http", "https"}:
        raise Unsupported(f'"{http.url}" is no address of a web server')
    data = http.body.encode() if http.body else None
    wanted = urllib.request.Request(  # noqa: S310 - the scheme was looked at
        http.url, method=http.method, headers=dict(http.headers), data=data
    )
    try:
        with urllib.request.urlopen(wanted, timeout=http.timeout_seconds) as answer:  # noqa: S310
            return _answer(answer)
    except urllib.error.HTTPError as error:
        return _answer(error)
    except OSError as error:
        raise StreamctlError(f'no answer from "{http.url}": {error}') from error


def _answer(answer: Any) -> dict[str, Any]:
    body = answer.read(_TEXT_BYTES).decode("utf-8", errors="replace")
    return {"status": answer.status, "headers": dict(answer.headers), "body": body}
