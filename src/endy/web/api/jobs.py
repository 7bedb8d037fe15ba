"""What goes on in the background, for admins."""

from typing import Any

from fastapi import APIRouter

from endy.web.deps import Operator, Services
from endy.web.documented import errors

router = APIRouter(prefix="/api/admin/jobs", tags=["운영"], responses=errors(401))


@router.get("")
async def jobs(services: Services, _admin: Operator) -> dict[str, Any]:
    """백그라운드 작업이 지금 어디서 도는지, 언제 어떻게 끝났는지입니다."""
    return {"jobs": await services.jobs.states()}
