"""The web application: lifespan, middleware order, error handlers and routes; nothing else."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from endy import __version__
from endy.bootstrap import Services, running_services
from endy.observability import tracing
from endy.observability.logging import configure_logging
from endy.observability.metrics import Metrics
from endy.settings import Settings
from endy.web import api_docs, pages, security_txt
from endy.web.api import accounts, ask, audit, catalog, feedback, jobs, knowledge, operations, sso, users
from endy.web.envelope import Envelope
from endy.web.errors import add_error_handlers

ServicesFactory = Callable[[Settings, Metrics], AbstractAsyncContextManager[Services]]

_log = structlog.get_logger(__name__)


def create_app(settings: Settings, services_factory: ServicesFactory = running_services) -> FastAPI:
    """The application for these settings; services start and stop with it."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        configure_logging(settings)
        tracing.start(settings)
        async with services_factory(settings, metrics) as services:
            app.state.services = services
            _announce_llm(settings)
            # What lives as long as the process need not be looked at by every collection: a fifth of an answer's time.
            gc.collect()
            gc.freeze()
            try:
                yield
            finally:
                gc.unfreeze()
                services.health.draining = True
                await asyncio.to_thread(tracing.stop)

    app = FastAPI(
        title="Endy", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        openapi_url=None if settings.production else "/openapi.json",
    )  # fmt: skip
    # The last one added is the outermost: the envelope sees every response, CORS refusals and errors too.
    app.add_middleware(GZipMiddleware, minimum_size=1024)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(settings.allowed_origins),
        allow_credentials="*" not in settings.allowed_origins,
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
        expose_headers=["X-Request-ID", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"],
    )
    app.add_middleware(Envelope, metrics=metrics, production=settings.production, public_url=settings.public_url)
    add_error_handlers(app)
    app.router.routes.extend(ask.quick_routes)
    for area in (ask, catalog, accounts, sso, users, audit, feedback, jobs, knowledge, operations, pages, security_txt):
        app.include_router(area.router)
    if not settings.production:
        app.include_router(api_docs.router)
    pages.mount_static(app)
    return app


def _announce_llm(settings: Settings) -> None:
    """The lines that the deployment guide checks for."""
    if settings.openai_api_key is not None:
        _log.info("✅ LLM 서비스 활성화 (OpenAI API)", model=settings.openai_model)
    else:
        _log.warning("⚠️  LLM 서비스 비활성화", reason="OPENAI_API_KEY가 없어 문서에서 찾은 내용으로 답해요")
