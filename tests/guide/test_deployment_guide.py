"""DEPLOYMENT_GUIDE.md, executed: every command block against a real server, with the results that it states."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.postgres import PostgresServer, free_port
from tests.redis_server import RedisServer

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parent.parent.parent
GUIDE = ROOT / "DEPLOYMENT_GUIDE.md"
NEEDED = ("Makefile", "requirements.txt", "run.py", ".env.example", "data/users.json", "src", "knowledge")
BLOCK = re.compile(r"<!-- run: (?P<expected>[^>]*?) -->\n```bash\n(?P<commands>.*?)```", re.DOTALL)
EMPLOYEE, NAME, PASSWORD = "2024003", "박민수", "가을밤 고양이 세 마리"


@dataclass
class Operator:
    """Somebody with a copy of the project, a shell and the guide."""

    folder: Path
    environment: dict[str, str]
    port: int
    server: subprocess.Popen[bytes] | None = None
    done: list[str] = field(default_factory=list)

    def follow(self, expected: str, commands: str) -> None:
        kind, _, wanted = expected.partition(" ")
        getattr(self, f"_{kind}")(self._filled(commands), wanted)
        self.done.append(kind)

    def _filled(self, commands: str) -> str:
        """The guide's own port and placeholders as they are here."""
        filled = commands.replace("localhost:8000", f"127.0.0.1:{self.port}")
        if "<박민수_토큰>" in filled:
            filled = filled.replace("<박민수_토큰>", self._token())
        return filled.replace("<프로세스번호>", str(self.server.pid) if self.server else "")

    def shell(self, commands: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands], cwd=self.folder, env=self.environment, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        return done.stdout

    def _ok(self, commands: str, _: str) -> None:
        self.shell(commands)

    def _shows(self, commands: str, wanted: str) -> None:
        assert wanted in self.shell(commands)

    def _server(self, commands: str, _: str) -> None:
        command = commands.strip()
        self.server = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=self.folder, env=self.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        ends = time.monotonic() + 120
        while not self._answers("/readiness"):
            assert self.server.poll() is None, "the server ended"
            assert time.monotonic() < ends
            time.sleep(0.2)

    def _limit(self, commands: str, _: str) -> None:
        """Ten pass, the eleventh is refused."""
        assert re.findall(r"Status: (\d+)", self.shell(commands)) == ["200"] * 10 + ["429"]

    def _role(self, commands: str, _: str) -> None:
        """What the guide shows is what comes back."""
        shown = json.loads(re.search(r"```json\n(\{\"error\".*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[1])  # type: ignore[index]
        answer = json.loads(self.shell(commands))
        assert {name: answer[name] for name in shown} == shown

    def _stopped(self, commands: str, _: str) -> None:
        assert self.server is not None
        self.shell(commands)
        assert self.server.wait(60) in (0, -signal.SIGTERM)

    def _token(self) -> str:
        """A password by a one-time link, as the guide says people get theirs, then a sign-in."""
        told = self.shell(f".venv/bin/endy users link {EMPLOYEE}")
        link = re.search(r"set-password#(\S+)", told)
        assert link, told
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api") as http:
            set_ = http.post("/password/link", json={"token": link[1], "new_password": PASSWORD})
            assert set_.status_code == 200, set_.text
            signed_in = http.post("/login", json={"employee_id": EMPLOYEE, "password": PASSWORD})
        return str(signed_in.json()["session_token"])

    def _answers(self, path: str) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=2).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(params=["one machine", "PostgreSQL and Redis"])
def operator(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Operator]:
    folder = tmp_path / "endy"
    (folder / "data").mkdir(parents=True)
    for name in NEEDED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    _environment_in(folder)
    port = free_port()
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    # The tests' own packages stand for those that `make install` would download.
    environment = kept | {"PATH": f"{folder}/.venv/bin:{os.environ['PATH']}", "PORT": str(port), "EMBEDDINGS": "none"}
    if request.param != "one machine":
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        redis: RedisServer = request.getfixturevalue("redis_server")
        environment |= {"DATABASE_URL": postgres.create_database(), "REDIS_URL": redis.url}
    running = Operator(folder, environment, port)
    yield running
    if running.server is not None and running.server.poll() is None:
        running.server.kill()
        running.server.wait()


def _environment_in(folder: Path) -> None:
    """A `.venv` whose programs are those that run this test."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    commands = {
        "python": 'exec {python} "$@"',
        "python3": 'exec {python} "$@"',
        "pip": 'exec {python} -m pip "$@"',
        "endy": 'PYTHONPATH={folder}/src exec {python} -m endy "$@"',
    }
    for name, command in commands.items():
        path = programs / name
        path.write_text(f"#!/bin/sh\n{command.format(python=sys.executable, folder=folder)}\n", encoding="utf-8")
        path.chmod(0o755)
    (folder / ".venv" / ".python").touch()


def test_the_guide_works_as_it_stands(operator: Operator) -> None:
    """From an empty folder to a stopped server: settings, installation, health, people, limits, roles, metrics,
    backup, log level, drain."""
    blocks = list(BLOCK.finditer(GUIDE.read_text(encoding="utf-8")))
    for block in blocks:
        operator.follow(block["expected"], block["commands"])
    assert {"ok", "server", "limit", "role", "shows", "stopped"} == set(operator.done)
    assert operator.done[-1] == "stopped"


def test_every_command_of_the_guide_is_executed_or_needs_the_reader() -> None:
    """A block without a mark is one that only the reader can fill."""
    text = GUIDE.read_text(encoding="utf-8")
    marked = {block["commands"] for block in BLOCK.finditer(text)}
    others = [block for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) if block not in marked]
    assert all("<" in block for block in others), others
