"""Health, readiness, liveness and metrics, for machines."""

import hmac
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from endy import __version__
from endy.errors import AuthenticationRequired, NotFound, ServiceUnavailable
from endy.web.deps import OPEN, Services
from endy.web.documented import errors

router = APIRouter(tags=["운영"], dependencies=[OPEN], responses=errors(401, 404))


@router.get("/health")
async def health(services: Services) -> JSONResponse:
    """의존하는 것들의 상태입니다. 답할 수 없으면 503입니다."""
    if not services.settings.enable_health_check:
        raise NotFound
    report = await services.health.report()
    body = {
        "status": report.status,
        "timestamp": datetime.now(UTC).isoformat(),
        "version": __version__,
        "checks": report.checks,
    }
    return JSONResponse(body, 503 if report.status == "unhealthy" else 200)


@router.get("/readiness")
async def readiness(services: Services) -> JSONResponse:
    """지금 질문을 받을 수 있는지입니다."""
    ready = await services.health.ready()
    return JSONResponse({"status": "ready" if ready else "not_ready"}, 200 if ready else 503)


@router.get("/liveness")
async def liveness() -> dict[str, Any]:
    """프로세스가 살아 있는지입니다."""
    return {"status": "alive"}


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request, services: Services) -> Response:
    """Prometheus 지표입니다."""
    settings = services.settings
    if not settings.enable_metrics:
        raise NotFound
    if settings.metrics_token is not None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), settings.metrics_token.get_secret_value().encode()):
            raise AuthenticationRequired
    # The alarms about a database that is away are fed from here.
    with suppress(ServiceUnavailable):
        await services.read_gauges()
    report = await services.health.report()
    services.metrics.tell_health(report.status, report.checks)
    body, content_type = services.metrics.exposition(request.headers.get("accept", ""))
    return Response(body, media_type=content_type)
