"""The log file: rotated without loss by several processes at once, and its level changed while they run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.web.test_server import environment, started

__all__ = ["environment"]

WRITERS, LINES = 4, 400
WRITE = """
import sys
from endy.observability.logging import configure_logging
from endy.settings import Settings
import structlog
settings = Settings(_env_file=None, log_file=sys.argv[1], log_max_bytes=20_000, log_backup_count=50,
                    environment="production", secret_key="k" * 40, allowed_origins=("https://endy.example",))
configure_logging(settings)
for number in range(int(sys.argv[3])):
    structlog.get_logger("test").info("line", writer=sys.argv[2], number=number, filler="글" * 50)
"""


def test_several_processes_lose_no_line(tmp_path: Path) -> None:
    """Every line of every process stands whole in one of the files, and none is larger than it may be."""
    log = tmp_path / "endy.log"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(log), str(number), str(LINES)], stderr=subprocess.DEVNULL)
        for number in range(WRITERS)
    ]
    assert [writer.wait(60) for writer in writers] == [0] * WRITERS
    files = sorted(tmp_path.glob("endy.log*"))
    lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(files) > 5
    assert max(file.stat().st_size for file in files) < 21_000
    assert sorted((int(line["writer"]), line["number"]) for line in lines) == [
        (writer, number) for writer in range(WRITERS) for number in range(LINES)
    ]


def test_the_level_changes_without_a_restart(environment: dict[str, str], tmp_path: Path) -> None:
    """LOG_LEVEL in `.env`, then SIGHUP; what `.env` cannot say changes nothing and is said."""
    quiet = environment | {"LOG_LEVEL": ""}
    (tmp_path / ".env").write_text("LOG_LEVEL=warning\n", encoding="utf-8")
    process = started(quiet, tmp_path)
    log = Path(environment["LOG_FILE"])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{environment['PORT']}") as http:
            http.get("/api/categories")
            assert "/api/categories" not in log.read_text(encoding="utf-8")
            (tmp_path / ".env").write_text("LOG_LEVEL=info\n", encoding="utf-8")
            os.kill(process.pid, signal.SIGHUP)
            _until(log, "log_level_changed")
            http.get("/api/categories")
            _until(log, "/api/categories")
            (tmp_path / ".env").write_text("LOG_LEVEL=loud\n", encoding="utf-8")
            os.kill(process.pid, signal.SIGHUP)
            _until(log, "log_level_not_changed")
            assert http.get("/liveness").status_code == 200
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _until(log: Path, text: str) -> None:
    ends = time.monotonic() + 10
    while text not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < ends
        time.sleep(0.05)
