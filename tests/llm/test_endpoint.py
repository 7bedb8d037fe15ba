"""Addresses in the forms that people type."""

import pytest

from endy.errors import StartupError
from endy.llm.endpoint import Endpoint, endpoint_of

AZURE = "https://firm.openai.azure.com"


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        (None, "https://api.openai.com/v1"),
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1"),
        (" http://localhost:11434 ", "http://localhost:11434/v1"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("http://localhost:11434/api/chat", "http://localhost:11434/v1"),
        ("http://localhost:11434/api", "http://localhost:11434/v1"),
        ("http://vllm:8000//", "http://vllm:8000/v1"),
        ("http://[::1]:8080/", "http://[::1]:8080/v1"),
        ("http://llama:8080/completions", "http://llama:8080/v1"),
        ("https://gateway.firm.example/llm/v1/models", "https://gateway.firm.example/llm/v1"),
        ("https://router.example/api/v1", "https://router.example/api/v1"),
        ("https://generative.example/v1beta/openai/", "https://generative.example/v1beta/openai"),
        (AZURE, f"{AZURE}/openai/v1"),
        (f"{AZURE}/openai/v1/", f"{AZURE}/openai/v1"),
        (f"{AZURE}/openai/v1/?api-version=preview", f"{AZURE}/openai/v1"),
    ],
)
def test_plain_addresses(typed: str | None, url: str) -> None:
    """With and without /v1, slashes and the name of the call, it is the same server."""
    assert endpoint_of(typed) == Endpoint(url)


@pytest.mark.parametrize(
    ("typed", "version", "deployment"),
    [
        (AZURE, "2024-10-21", None),
        (f"{AZURE}/", "2024-10-21", None),
        (f"{AZURE}/openai", "2024-10-21", None),
        (f"{AZURE}?api-version=2024-10-21", None, None),
        (f"{AZURE}/openai/deployments/four?api-version=2024-10-21", None, "four"),
        (f"{AZURE}/openai/deployments/four/chat/completions?api-version=2024-10-21", None, "four"),
        (f"{AZURE}/openai/deployments/four", "2024-10-21", "four"),
    ],
)
def test_dated_azure_addresses(typed: str, version: str | None, deployment: str | None) -> None:
    """The version comes from the address or the setting, the deployment from the path."""
    assert endpoint_of(typed, version) == Endpoint(AZURE, "2024-10-21", deployment)


@pytest.mark.parametrize(
    ("typed", "version", "names"),
    [
        ("localhost:11434", None, "http://"),
        ("ftp://server/v1", None, "http://"),
        ("http://", None, "http://"),
        ("http://server:99999", None, "읽을 수 없어요"),
        ("http://[::1", None, "읽을 수 없어요"),
        ("https://key-canary@server/v1", None, "OPENAI_API_KEY"),
        ("https://server/v1?key=key-canary", None, "OPENAI_API_KEY"),
        ("https://server/v1#x", None, "#"),
        ("https://ser ver/v1", None, "빈칸"),
        ("http://api.openai.com/v1", None, "https://"),
        (f"{AZURE}/openai/deployments/four", None, "OPENAI_API_VERSION"),
        (AZURE, "3", "OPENAI_API_VERSION"),
    ],
)
def test_what_cannot_work_stops_the_start(typed: str, version: str | None, names: str) -> None:
    """The message says what to write and repeats nothing that may be a key."""
    with pytest.raises(StartupError) as caught:
        endpoint_of(typed, version)
    assert names in str(caught.value)
    assert "key-canary" not in str(caught.value)
