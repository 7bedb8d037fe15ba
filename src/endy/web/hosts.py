"""The Host header comes from the caller: which ones are answered, and nothing that is sent back is made from it."""

from contextlib import suppress
from ipaddress import ip_address
from typing import ClassVar
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from endy.errors import ValidationFailed

PROBES = ("/liveness", "/readiness", "/health", "/metrics")
"""Asked by machines under whatever name they know."""


class WrongHost(ValidationFailed):
    """A request that HTTP itself says to refuse with 400."""

    status: ClassVar[int] = 400
    message = "이 주소로는 Endy를 부를 수 없어요. 주소를 확인해 주세요."


class Hosts:
    """With a public address, only it, the machine itself and bare numbers are answered."""

    def __init__(self, public_url: str | None) -> None:
        self._public = _name(urlsplit(public_url).netloc) if public_url else None

    def check(self, scope: Scope) -> None:
        """Raises WrongHost."""
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) > 1:
            raise WrongHost
        if self._public is None or scope["path"] in PROBES:
            return
        name = _name(hosts[0]) if hosts else ""
        if name not in (self._public, "localhost") and not _is_number(name):
            raise WrongHost


def relative(location: str, scope: Scope) -> str:
    """A redirect within the site without the site's name, which the framework takes from the Host header."""
    here = f"{scope['scheme']}://{Headers(scope=scope).get('host', '')}/"
    return f"/{location.removeprefix(here).lstrip('/')}" if location.startswith(here) else location


def _name(host: str) -> str:
    """`HOST.example.:8000` → `host.example`; `[::1]:8000` → `::1`."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.rstrip(".").lower()


def _is_number(name: str) -> bool:
    with suppress(ValueError):
        return bool(ip_address(name))
    return False
