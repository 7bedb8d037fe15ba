"""`python run.py` as people start it: a real process, its exit codes and its one clear line."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import httpx
import pytest

from tests.postgres import PostgresServer
from tests.web.conftest import DOCUMENT, FAQS

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "people.md").write_text(DOCUMENT, encoding="utf-8")
    (tmp_path / "faq.json").write_text(json.dumps({"faqs": FAQS}), encoding="utf-8")
    return os.environ | {
        "DATABASE_URL": f"sqlite:///{tmp_path}/endy.db",
        "KNOWLEDGE_DIR": str(tmp_path / "docs"),
        "FAQ_FILE": str(tmp_path / "faq.json"),
        "LOG_FILE": str(tmp_path / "endy.log"),
        "EMBEDDINGS": "none",
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(environment: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run.py")], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    )


def started(environment: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    process = start(environment, folder)
    url = f"http://127.0.0.1:{environment['PORT']}/readiness"
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=1):
                break
        except OSError:
            time.sleep(0.1)
    return process


def test_sigterm_turns_readiness_first_and_loses_no_request(environment: dict[str, str], tmp_path: Path) -> None:
    """Questions are answered until the drain is over, each with the advice to connect elsewhere; then it ends."""
    process = started(environment | {"DRAIN_SECONDS": "2", "RATE_LIMIT_PER_MINUTE": "1000"}, tmp_path)
    with httpx.Client(base_url=f"http://127.0.0.1:{environment['PORT']}") as http:
        assert http.post("/api/ask", json={"question": "주차"}).headers.get("connection") != "close"
        process.send_signal(signal.SIGTERM)
        began, codes = time.monotonic(), []
        while time.monotonic() - began < 1.5:
            answer = http.post("/api/ask", json={"question": "주차"})
            codes.append((answer.status_code, answer.headers.get("connection")))
            time.sleep(0.05)
        ready = http.get("/readiness").status_code
    process.communicate(timeout=30)
    assert ready == 503
    assert set(codes[3:]) == {(200, "close")}
    assert 1.8 < time.monotonic() - began < 8


def test_a_second_sigterm_ends_it_at_once(environment: dict[str, str], tmp_path: Path) -> None:
    """Whoever repeats it does not want to wait."""
    process = started(environment | {"DRAIN_SECONDS": "60"}, tmp_path)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=15)


def test_it_waits_for_its_database(environment: dict[str, str], tmp_path: Path, own_server: PostgresServer) -> None:
    """Started together, the database may take longer: Endy waits, says so, and then serves."""
    url = own_server.create_database()
    own_server.stop()
    process = start(environment | {"DATABASE_URL": url}, tmp_path)
    time.sleep(3)
    assert process.poll() is None
    own_server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{environment['PORT']}") as http:
        for _ in range(100):
            try:
                assert http.get("/readiness").status_code == 200
                break
            except httpx.TransportError:
                time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "데이터베이스" in stderr


def test_ctrl_c_ends_it_cleanly(environment: dict[str, str], tmp_path: Path) -> None:
    """The server answers, and an interrupt ends it with code 0 and no traceback; the log tells about the LLM."""
    process = started(environment, tmp_path)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in stderr
    assert "⚠️  LLM 서비스 비활성화" in (tmp_path / "endy.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"PORT": "eight"}, "PORT"),
        ({"RATE_LIMIT_PER_MINUTE": "0"}, "RATE_LIMIT_PER_MINUTE"),
        ({"ENVIRONMENT": "production", "SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"DATABASE_URL": "sqlite:////proc/nowhere/endy.db"}, "DATABASE_URL"),
        ({"KNOWLEDGE_DIR": "/nonexistent", "FAQ_FILE": "/nonexistent"}, "/nonexistent"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(
    environment: dict[str, str], tmp_path: Path, change: dict[str, str], says: str
) -> None:
    """A broken value names itself; there is no traceback and the exit code is not 0."""
    process = start(environment | change, tmp_path)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "Traceback" not in stderr
    assert len([line for line in stderr.splitlines() if says in line]) == 1


def test_a_busy_port_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    """Another program on the port: one line says so."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(environment["PORT"])))
        other.listen()
        process = start(environment, tmp_path)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "Traceback" not in stderr
    assert f"{environment['PORT']}번 포트" in stderr


def test_a_dotenv_in_another_encoding_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    """A .env saved as CP949 is one clear line."""
    (tmp_path / ".env").write_bytes("LOG_LEVEL=info # 한글".encode("cp949"))
    process = start(environment, tmp_path)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "UTF-8" in stderr
    assert "Traceback" not in stderr
