"""The supervisor's HTTP: liveness, readiness, health, metrics, and what the status page reads.

`/livez` and `/readyz` say yes or no to anybody, because probes carry no secrets; all that tells
more asks for the bearer token, when one is set.
"""

import hmac
import importlib.util
import json
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from streamctl.errors import StreamctlError
from streamctl.health.rules import HealthReport
from streamctl.metrics.exposition import CONTENT_TYPE, SampleCollector
from streamctl.observe.model import Sample
from streamctl.reports import as_json

_PAGE = Path(__file__).parent / "page" / "index.html"
_START_SECONDS = 10.0


class Shown(Protocol):
    """What the server shows. Called from its threads."""

    def live(self) -> bool:
        """Whether the supervisor works; answers at once."""

    def health(self) -> HealthReport:
        """Health at this moment."""

    def sample(self) -> Sample:
        """What is seen at this moment."""

    def page(self) -> dict[str, Any]:
        """All that the status page draws."""


class PortInUse(StreamctlError):
    """The port is taken."""


class Server:
    """Listens, in a thread of its own.

    Args:
        shown: what to show.
        host: address.
        port: 0 for any free one.
        token: asked for where it is not empty.
        partitions: metrics of each topic partition too.

    Attributes:
        url: where it listens.

    Raises:
        PortInUse: another process listens there.
    """

    def __init__(self, shown: Shown, *, host: str, port: int, token: str, partitions: bool) -> None:
        self._socket = _listen(host, port)
        own_port = self._socket.getsockname()[1]
        named = f"[{host}]" if ":" in host else host
        self.url = f"http://{named}:{own_port}/"
        config = uvicorn.Config(
            application(shown, token=token, partitions=partitions),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [self._socket]},
            name="http",
            daemon=True,
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def end(self) -> None:
        """Answer no more."""
        self._server.should_exit = True
        self._thread.join(timeout=_START_SECONDS)
        self._socket.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise PortInUse(
            f"cannot listen on {host} port {port}: {error.strerror}",
            hint="Set http.port to another one, or to 0 for any free one.",
        ) from error
    return listening


def application(shown: Shown, *, token: str, partitions: bool) -> Starlette:
    """The routes."""
    registry = CollectorRegistry()
    registry.register(SampleCollector(shown.sample, partitions=partitions))
    guard = _Guard(token)

    async def livez(_: Request) -> Response:  # needs no thread: those may all wait for a store
        return _probe(shown.live())

    def readyz(request: Request) -> Response:
        report = shown.health()
        return _probe(report.ready, report if guard.admits(request) else None)

    def health(_: Request) -> Response:
        report = shown.health()
        return _json(report, status=200 if report.ready else 503)

    def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE)

    def status(_: Request) -> Response:
        return _json(shown.sample().status)

    def page_data(_: Request) -> Response:
        return _json(shown.page())

    def page(_: Request) -> Response:
        return HTMLResponse(_PAGE.read_text(encoding="utf-8"))

    def plots(_: Request) -> Response:
        cached = {"Cache-Control": "max-age=86400"}
        return FileResponse(_plotly(), media_type="text/javascript", headers=cached)

    return Starlette(
        routes=[
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/health", guard(health)),
            Route("/metrics", guard(metrics)),
            Route("/api/status", guard(status)),
            Route("/api/page", guard(page_data)),
            Route("/", page),
            Route("/plotly.js", plots),
        ],
        exception_handlers={StreamctlError: _unavailable},
        middleware=[Middleware(GZipMiddleware, minimum_size=4096, compresslevel=4)],
    )


class _Guard:
    """Asks for the token."""

    def __init__(self, token: str) -> None:
        self._wanted = f"Bearer {token}" if token else ""

    def admits(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return not self._wanted or hmac.compare_digest(given.encode(), self._wanted.encode())

    def __call__(
        self, answer: Callable[[Request], Response]
    ) -> Callable[[Request], Response | Awaitable[Response]]:
        def guarded(request: Request) -> Response:
            if self.admits(request):
                return answer(request)
            asks = {"WWW-Authenticate": "Bearer"}
            return PlainTextResponse("a bearer token is needed\n", status_code=401, headers=asks)

        return guarded


def _probe(well: bool, report: HealthReport | None = None) -> Response:
    lines = ["ok" if well else "not ok"]
    lines += [f"{c.verdict}: {c.name}: {c.detail}" for c in report.checks] if report else []
    return PlainTextResponse("\n".join(lines) + "\n", status_code=200 if well else 503)


def _unavailable(_: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", status_code=503)


def _json(value: Any, *, status: int = 200) -> Response:
    text = json.dumps(as_json(value), ensure_ascii=False)
    return Response(text, status_code=status, media_type="application/json")


def _plotly() -> Path:
    """Plotly's script, from its package, which need not be imported for that."""
    found = importlib.util.find_spec("plotly")
    if found is None or not found.submodule_search_locations:
        raise StreamctlError("the package plotly is not installed")
    return Path(found.submodule_search_locations[0]) / "package_data" / "plotly.min.js"
