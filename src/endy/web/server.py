"""Run the web application with uvicorn; what keeps it from starting is one clear line."""

import errno
import socket
import sys

import uvicorn

from endy.errors import StartupError
from endy.settings import Settings, load_settings
from endy.web.app import create_app
from endy.web.protocol import PatientProtocol, ProductionProtocol

GRACE_SECONDS = 20


def serve(settings: Settings) -> int:
    """Serve until told to stop; the exit code. Raises StartupError for an address that cannot be used."""
    listening = _listen(settings)
    if settings.reload:
        return _serve_reloading(settings, listening)
    server = uvicorn.Server(_config(settings))
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        return 0
    finally:
        listening.close()
    return 0 if server.started else 1


def _config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings),
        http=ProductionProtocol if settings.production else PatientProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
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
