"""The parts of a cluster on one machine: real servers, a network that can be cut, and nginx in front."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import httpx
from tests.postgres import PostgresServer, free_port
from tests.redis_server import RedisServer

ROOT = Path(__file__).parent.parent.parent
ADMIN = {"employee_id": "2024001", "name": "김철수"}
PEOPLE = [
    {"employee_id": f"2024{number:03}", "name": f"직원{number}", "department": "개발팀", "email": "", "role": "user"}
    for number in range(100, 140)
]
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream endy {{
        {servers}
        keepalive 64;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://endy;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_connect_timeout 1s;
            proxy_next_upstream error timeout http_503 non_idempotent;
            proxy_next_upstream_tries 2;
            proxy_buffering off;
        }}
    }}
}}
"""


class Line:
    """A TCP line to a server that can be cut: then packets vanish and nobody is told."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._to = port
        self._whole = asyncio.Event()
        self._whole.set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.close()
            return
        with suppress(asyncio.CancelledError):
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        with suppress(OSError):
            writer.close()


class Replica:
    """One process of Endy."""

    def __init__(self, environment: dict[str, str], folder: Path, core: int | None = None) -> None:
        self.port = free_port()
        self.down = False
        self._environment = environment | {"PORT": str(self.port), "LOG_FILE": str(folder / f"{self.port}.log")}
        self._folder = folder
        self._core = core
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        pinned = ["taskset", "-c", str(self._core)] if self._core is not None else []
        # Its own interpreter, and not this one's: a release of another day may be started from another folder.
        source = os.environ.get("ENDY_ROOT", str(ROOT))
        self._process = subprocess.Popen(  # noqa: S603  our own program
            [*pinned, sys.executable, str(Path(source) / "run.py")], cwd=self._folder,
            env=os.environ | self._environment, stderr=(self._folder / f"{self.port}.err").open("ab"),
        )  # fmt: skip

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        assert self._process
        self._process.send_signal(how)

    def wait(self) -> None:
        assert self._process
        self._process.wait(60)

    async def ready(self, within: float = 90.0) -> None:
        ends = time.monotonic() + within
        while time.monotonic() < ends:
            if await self.is_ready():
                return
            await asyncio.sleep(0.1)
        raise TimeoutError(f"replica {self.port} is not ready")

    async def is_ready(self) -> bool:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=2) as http:
            with suppress(httpx.HTTPError):
                return (await http.get("/readiness")).status_code == 200
        return False


class Cluster:
    """Two replicas, their servers, and nginx. The second replica reaches PostgreSQL and Redis over lines of its own."""

    def __init__(self, embeddings: str, cores: tuple[int | None, int | None] = (None, None), **values: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="endy-cluster-"))
        self.folder.chmod(0o755)
        self.postgres = PostgresServer(self.folder / "postgres", durable=True)
        self.postgres.start()
        self.redis = RedisServer()
        self.redis.start()
        self.url = self.postgres.create_database()
        self.lines = (Line(self.postgres.port), Line(self.redis.port))
        self.port = free_port()
        self.faq = self.folder / "faq.json"
        self._nginx: subprocess.Popen[bytes] | None = None
        shutil.copytree(ROOT / "knowledge" / "docs", self.folder / "docs")
        self.write_faq("처음")
        people = [ADMIN | {"department": "개발팀", "email": "", "role": "admin"}, *PEOPLE]
        (self.folder / "users.json").write_text(json.dumps({"users": people}), encoding="utf-8")
        shared = {
            "KNOWLEDGE_DIR": str(self.folder / "docs"), "FAQ_FILE": str(self.faq), "EMBEDDINGS": embeddings,
            "USERS_FILE": str(self.folder / "users.json"), "TRUSTED_PROXIES": "127.0.0.1",
            "WORDS_FILE": str(ROOT / "knowledge" / "words.txt"), "SECRET_KEY": "x" * 40, "DRAIN_SECONDS": "2",
            "HOST": "127.0.0.1", "RATE_LIMIT_PER_MINUTE": "1000000", "RATE_LIMIT_PER_HOUR": "1000000", **values,
        }  # fmt: skip
        own = {"DATABASE_URL": self.url, "REDIS_URL": self.redis.url}
        far = {
            "DATABASE_URL": self.url.replace(str(self.postgres.port), str(self.lines[0].port)),
            "REDIS_URL": self.redis.url.replace(str(self.redis.port), str(self.lines[1].port)),
        }
        self.replicas = (Replica(shared | own, self.folder, cores[0]), Replica(shared | far, self.folder, cores[1]))

    def write_faq(self, text: str) -> None:
        entry = {
            "id": 1,
            "category": "총무",
            "question": "클러스터 점검 번호는?",
            "main_answer": f"점검 번호는 {text}이에요.",
        }
        beside = self.faq.with_suffix(".new")
        beside.write_text(json.dumps({"faqs": [entry]}, ensure_ascii=False), encoding="utf-8")
        beside.replace(self.faq)

    async def start(self) -> None:
        for line in self.lines:
            await line.open()
        # One after the other, so that the second finds the work done.
        for replica in self.replicas:
            replica.start()
            await replica.ready()
        self._configure()
        self._nginx = self._run_nginx()
        await asyncio.sleep(0.5)

    def take_out(self, replica: Replica, *, out: bool) -> None:
        """Tell nginx not to send to a replica, or to send again; no request is lost by that."""
        replica.down = out
        self._configure()
        self._run_nginx("-s", "reload").wait(10)

    def stop(self) -> None:
        for replica in self.replicas:
            with suppress(Exception):
                replica.kill()
        if self._nginx:
            self._nginx.terminate()
            self._nginx.wait(10)
        self.redis.stop()
        self.postgres.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def nginx_errors(self) -> list[str]:
        return (self.folder / "nginx-error.log").read_text(errors="replace").splitlines()

    def _run_nginx(self, *arguments: str) -> "subprocess.Popen[bytes]":
        program = [str(shutil.which("nginx")), "-c", str(self.folder / "nginx.conf"), *arguments]
        return subprocess.Popen(program, stderr=subprocess.DEVNULL)  # noqa: S603  our own configuration

    def _configure(self) -> None:
        servers = "\n        ".join(
            f"server 127.0.0.1:{each.port} max_fails=0{' down' if each.down else ''};" for each in self.replicas
        )
        text = NGINX.format(folder=self.folder, servers=servers, port=self.port)
        (self.folder / "nginx.conf").write_text(text)
