"""The server's address in the forms that people type, made into the one that works."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from endy.errors import StartupError

OPENAI = "https://api.openai.com/v1"
_AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
_CLOUD_HOSTS = ("api.openai.com", *_AZURE_HOSTS)
_CALLS = re.compile(r"/(?:chat/completions|completions|responses|models|embeddings|api/(?:chat|generate|tags))$")
_DEPLOYMENT = re.compile(r"(?P<base>.*)/openai/deployments/(?P<name>[^/]+)$")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(?:-preview)?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to send calls. With `api_version` it is Azure's dated API, which puts the deployment into the path."""

    url: str
    api_version: str | None = None
    deployment: str | None = None


def endpoint_of(base_url: str | None, api_version: str | None = None) -> Endpoint:
    """Read OPENAI_BASE_URL and OPENAI_API_VERSION; StartupError says what to write instead."""
    parts = _split((base_url or OPENAI).strip())
    version = _version(parts, api_version)
    path = _CALLS.sub("", parts.path.rstrip("/")).rstrip("/")
    site = f"{parts.scheme}://{parts.netloc}"
    azure = (parts.hostname or "").endswith(_AZURE_HOSTS)
    deployment = _DEPLOYMENT.fullmatch(path)
    if path.endswith("/openai/v1"):
        return Endpoint(site + path)
    if deployment:
        return Endpoint(site + deployment["base"], _required(version), deployment["name"])
    if version:
        return Endpoint(site + path.removesuffix("/deployments").removesuffix("/openai"), version)
    if azure:
        return Endpoint(site + "/openai/v1")
    return Endpoint(site + ("/v1" if path in ("", "/api") else path))


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _wrong("주소를 읽을 수 없어요. 예: http://localhost:11434/v1") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise _wrong("http:// 또는 https://로 시작하는 주소여야 해요. 예: http://localhost:11434/v1")
    if "@" in parts.netloc:
        raise _wrong("주소에 아이디나 비밀번호를 넣을 수 없어요. 키는 OPENAI_API_KEY에 적어 주세요")
    if re.search(r"\s", text) or parts.fragment:
        raise _wrong("빈칸과 #은 쓸 수 없어요")
    if parts.scheme == "http" and parts.hostname.endswith(_CLOUD_HOSTS):
        raise _wrong("인터넷의 서버에는 https://로 연결해 주세요")
    return parts


def _version(parts: SplitResult, api_version: str | None) -> str | None:
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    typed = query.pop("api-version", None)
    if query:
        raise _wrong("주소의 ? 뒤에는 api-version만 쓸 수 있어요. 키는 OPENAI_API_KEY에 적어 주세요")
    version = (api_version or typed or "").strip()
    # The undated names belong to the API under /openai/v1, which needs none.
    if version in ("", "v1", "preview", "latest"):
        return None
    if not _DATED.fullmatch(version):
        raise StartupError("OPENAI_API_VERSION: 2024-10-21이나 2025-01-01-preview처럼 적어 주세요")
    return version


def _required(version: str | None) -> str:
    if version is None:
        raise StartupError("OPENAI_API_VERSION: /openai/deployments/ 주소에는 api-version이 필요해요. 예: 2024-10-21")
    return version


def _wrong(reason: str) -> StartupError:
    return StartupError(f"OPENAI_BASE_URL: {reason}")
