"""The application behind its real server on a free port, for what only a real connection shows."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import uvicorn
from fastapi import FastAPI

from endy.bootstrap import running_services
from endy.settings import Settings
from endy.web.app import create_app
from endy.web.server import _config


@asynccontextmanager
async def serving(settings: Settings, limit_concurrency: int | None = None) -> AsyncIterator[tuple[FastAPI, int]]:
    """The application and its port, while it serves; it follows no files, so that every task is a request's."""
    app = create_app(settings, partial(running_services, background=False))
    config = _config(settings, app)
    config.limit_concurrency = limit_concurrency or config.limit_concurrency
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            assert not running.done(), "the server did not start"
            await asyncio.sleep(0.02)
        try:
            yield app, listening.getsockname()[1]
        finally:
            server.should_exit = True
            await running


async def exchange(port: int, request: bytes) -> bytes:
    """What comes back, to the last byte, for bytes sent as they are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer
