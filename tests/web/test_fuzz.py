"""Two thousand calls made from the API's own description, as each role: no fault of ours, no status undocumented."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from endy.bootstrap import running_services
from endy.settings import Settings
from endy.web.app import create_app
from endy.web.server import _config
from tests.web.conftest import DOCUMENT, FAQS, PEOPLE, SECRET
from tests.web.test_roles import NAMES, NUMBERS, OWNER, TABLE

EXAMPLES = 40
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]
ROLES = ("anonymous", "user", "owner", "admin")


@dataclass
class Target:
    url: str
    calls: Counter[str] = field(default_factory=Counter)
    logins: int = 0


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The application behind its real server, in a thread; production's rules but for the description itself."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "docs").mkdir()
    (folder / "docs" / "people.md").write_text(DOCUMENT, encoding="utf-8")
    (folder / "docs" / "secret.md").write_text(SECRET, encoding="utf-8")
    (folder / "faq.json").write_text(json.dumps({"faqs": FAQS}), encoding="utf-8")
    (folder / "users.json").write_text(json.dumps({"users": [*PEOPLE, OWNER]}), encoding="utf-8")
    settings = _settings(folder)
    config = _config(settings, create_app(settings))
    config.app = create_app(_settings(folder), partial(running_services, background=False))
    config.port = 0
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.05)
    yield Target(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    server.should_exit = True
    thread.join(timeout=10)


def _settings(folder: Path) -> Settings:
    return Settings(
        _env_file=None,
        database_url=f"sqlite:///{folder}/endy.db",
        knowledge_dir=folder / "docs",
        faq_file=folder / "faq.json",
        users_file=folder / "users.json",
        words_file=folder / "words.txt",
        vocabulary_file=folder / "vocabulary.txt",
        log_file=folder / "endy.log",
        embeddings="none",
        log_level="error",
        rate_limit_per_minute=1_000_000,
        rate_limit_per_hour=1_000_000,
        anonymous_access=False,
        trusted_proxies=("127.0.0.1",),
    )


def _headers(target: Target, role: str) -> dict[str, str]:
    if role not in NUMBERS:
        return {}
    body = {"employee_id": NUMBERS[role], "name": NAMES[role]}
    # From an address of its own: the fuzzed logins have long used up the fuzzer's.
    target.logins += 1
    elsewhere = {"X-Forwarded-For": f"10.0.{target.logins // 250}.{target.logins % 250}"}
    answer = httpx.post(f"{target.url}/api/login", json=body, headers=elsewhere)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['session_token']}"}


@pytest.mark.parametrize("role", ROLES)
def test_no_call_finds_a_fault(target: Target, role: str) -> None:
    """Valid and invalid calls of every operation; fixed seeds, so that what fails once fails again."""
    schema = schemathesis.openapi.from_url(f"{target.url}/openapi.json")
    for result in schema.get_all_operations():
        _call_often(result.ok(), target, role)
    assert target.calls[role] >= 500


def _call_often(operation: Any, target: Target, role: str) -> None:
    headers = _headers(target, role)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy())
    def call(case: Any) -> None:
        response = case.call(headers=headers)
        case.validate_response(response, checks=CHECKS)
        target.calls[role] += 1
        if operation.method.upper() == "DELETE" or "password" in operation.path:
            headers.update(_headers(target, role))

    call()


def test_the_description_is_complete(target: Target) -> None:
    """Every route that is not a page is described, with the errors that it may answer with."""
    described = httpx.get(f"{target.url}/openapi.json").json()["paths"]
    for method, path in TABLE:
        if not path.startswith("/api/"):
            continue
        responses = described[path][method.lower()]["responses"]
        assert {"422", "503"} <= responses.keys(), (method, path)
        for status, response in responses.items():
            if status >= "400":
                assert response["content"]["application/json"]["schema"]["$ref"].endswith("ErrorBody")
