"""The audit log: events are recorded inside the transaction of the change that they tell of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from endy.audit import repository
from endy.privacy.masking import mask

_NEVER = {"password", "password_hash", "token"}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that somebody did; `before` and `after` hold what changed."""

    action: str
    actor: str
    target: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    address: str = ""
    request_id: str = ""


async def record(connection: AsyncConnection, event: Event) -> None:
    """Append the event; it stands or falls with the transaction. Personal data in the details is masked."""
    values = {
        "at": datetime.now(UTC),
        "actor": event.actor,
        "action": event.action,
        "target": event.target,
        "before": _masked(event.before),
        "after": _masked(event.after),
        "address": event.address,
        "request_id": event.request_id,
    }
    await repository.append(connection, values)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {key: _masked(item) for key, item in value.items() if key not in _NEVER}
    if isinstance(value, (list, tuple)):
        return [_masked(item) for item in value]
    return value
