"""The audit log, for admins: read and exported, never changed."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from endy.audit.service import AuditLog, Event
from endy.web.csv import csv_response
from endy.web.deps import AuditReader, Caller, Services
from endy.web.documented import errors

COLUMNS = ("at", "actor", "action", "target", "before", "after", "address", "request_id", "hash")

router = APIRouter(prefix="/api/admin/audit", tags=["감사 기록"], responses=errors(401))


@router.get("")
async def events(
    services: Services,
    _admin: AuditReader,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    actor: Annotated[str | None, Query(max_length=64)] = None,
    action: Annotated[str | None, Query(max_length=64)] = None,
) -> dict[str, Any]:
    """누가, 언제, 어디서, 무엇을 바꿨는지 최근 것부터 보여 줍니다."""
    page = await services.audit.page(limit, cursor, actor, action)
    return {"events": page.items, "next_cursor": page.next_cursor}


@router.get("/export", response_class=StreamingResponse)
async def export(services: Services, admin: AuditReader, caller: Caller) -> StreamingResponse:
    """모든 기록을 CSV로 내려받습니다. 내려받은 것도 기록됩니다."""
    event = Event("audit_exported", admin.employee_id, address=caller.address, request_id=caller.request_id)
    await services.audit.add(event)
    return csv_response("audit.csv", COLUMNS, table(services.audit))


async def table(audit: AuditLog) -> AsyncIterator[list[object]]:
    """The events as rows of text under COLUMNS."""
    async for row in audit.rows():
        values = {name: getattr(row, name) for name in COLUMNS}
        yield [_cell(value) for value in values.values()]


def _cell(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
