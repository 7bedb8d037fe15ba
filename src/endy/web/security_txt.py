"""`/.well-known/security.txt` (RFC 9116): whom to tell about a weakness."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from endy.errors import NotFound
from endy.web.deps import OPEN, Services

PATH = "/.well-known/security.txt"
VALID = timedelta(days=365)

router = APIRouter(include_in_schema=False, dependencies=[OPEN])
_started = datetime.now(UTC).replace(microsecond=0)


@router.get(PATH)
async def security_txt(services: Services) -> PlainTextResponse:
    settings = services.settings
    if settings.security_contact is None:
        raise NotFound
    lines = [
        f"Contact: {settings.security_contact}",
        f"Expires: {(_started + VALID).isoformat()}",
        "Preferred-Languages: ko, en",
    ]
    if settings.public_url:
        lines.append(f"Canonical: {settings.public_url}{PATH}")
    return PlainTextResponse("\n".join(lines) + "\n")
