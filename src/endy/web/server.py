"""Run the web application with uvicorn; what keeps it from starting is one clear line."""

import errno
import signal
import socket
import sys
import time
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from endy.errors import StartupError
from endy.observability.logging import set_level
from endy.settings import Settings, load_settings
from endy.web.app import create_app
from endy.web.protocol import PatientProtocol, ProductionProtocol

KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep an idle connection (nginx: 60): who closes first must be the one that sends."""

GRACE_SECONDS = 20
"""How long streams and other requests may go on after the last one was taken."""

_log = structlog.get_logger(__name__)


def serve(settings: Settings) -> int:
    """Serve until told to stop; the exit code. Raises StartupError for an address that cannot be used."""
    listening = _listen(settings)
    if settings.reload:
        return _serve_reloading(settings, listening)
    app = create_app(settings)
    server = DrainingServer(_config(settings, app), app, settings.drain_seconds)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: _change_level())
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        return 0
    finally:
        listening.close()
    return 0 if server.started else 1


class DrainingServer(uvicorn.Server):
    """On SIGTERM readiness turns first, and requests are taken for some seconds more: until every load balancer has
    looked, some still come. Then nothing new is taken, and what is under way may finish. A second signal, and
    Ctrl-C, skip the wait."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_seconds: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds
        self._closes_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        services = getattr(self._app.state, "services", None)
        if sig != signal.SIGTERM or self._closes_at is not None or services is None:
            super().handle_exit(sig, frame)
            return
        self._captured_signals.append(sig)
        services.health.draining = True
        self._closes_at = time.monotonic() + self._drain_seconds

    async def on_tick(self, counter: int) -> bool:
        if self._closes_at is not None and time.monotonic() >= self._closes_at and not self.should_exit:
            _log.info("drained")
            self.should_exit = True
        return await super().on_tick(counter)


def _change_level() -> None:
    """SIGHUP: log from the LOG_LEVEL on that `.env` names now, without a restart."""
    try:
        level = load_settings().log_level
    except StartupError as error:
        _log.error("log_level_not_changed", reason=str(error))
        return
    set_level(level)
    _log.warning("log_level_changed", level=level)


def _config(settings: Settings, app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=ProductionProtocol if settings.production else PatientProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=2000,
    )


def _serve_reloading(settings: Settings, listening: socket.socket) -> int:
    listening.close()
    uvicorn.run("endy.web.server:create_default_app", factory=True, reload=True, host=settings.host, port=settings.port)
    return 0


def create_default_app() -> object:
    """The application for the environment's settings, for uvicorn's reloader."""
    return create_app(load_settings())


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise StartupError(
                f"PORT: {settings.port}번 포트를 다른 프로그램이 쓰고 있어요. PORT를 바꾸거나 그 프로그램을 꺼 주세요."
            ) from None
        raise StartupError(f"HOST/PORT: {settings.host}:{settings.port}를 열 수 없어요 ({error.strerror}).") from None
    listening.set_inheritable(True)
    return listening
