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

import pytest

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


def test_ctrl_c_ends_it_cleanly(environment: dict[str, str], tmp_path: Path) -> None:
    """The server answers, and an interrupt ends it with code 0 and no traceback; the log tells about the LLM."""
    process = start(environment, tmp_path)
    url = f"http://127.0.0.1:{environment['PORT']}/readiness"
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=1):
                break
        except OSError:
            time.sleep(0.1)
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
