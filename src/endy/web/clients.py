"""Where a request comes from: the address, as far as proxies are trusted, and the kind of device."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.requests import Request

Networks = Sequence[IPv4Network | IPv6Network]


_BROWSERS = (("Edg", "Edge"), ("Whale", "Whale"), ("SamsungBrowser", "Samsung Internet"), ("OPR", "Opera"),
    ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
    ("curl", "curl"), ("python", "Python"))  # fmt: skip
_SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
    ("Macintosh", "Mac"), ("CrOS", "ChromeOS"), ("Linux", "Linux"))  # fmt: skip


def device_name(user_agent: str) -> str:
    """A browser and a system that people recognise, such as `Chrome · Windows`; the first that is named counts."""
    named = (next((name for mark, name in kinds if mark in user_agent), "") for kinds in (_BROWSERS, _SYSTEMS))
    return " · ".join(name for name in named if name)


def client_address(request: Request, trusted: Networks) -> str:
    """The nearest address that is not a trusted proxy; an IPv6 client counts as its /64.

    What is no address ends the walk: then the last proxy that is known counts.
    """
    address = _parsed(request.client.host if request.client else "")
    if address is None:
        return "unknown"
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    for part in reversed([part.strip() for part in forwarded if part.strip()]):
        nearer = _parsed(part)
        if nearer is None or not any(address in network for network in trusted):
            break
        address = nearer
    return _neighbourhood(address)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Also with a port, as some proxies write it; an IPv4 address in IPv6 clothes is the IPv4 address."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _neighbourhood(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))
