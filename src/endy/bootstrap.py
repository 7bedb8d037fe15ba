"""The composition root: the only place that picks concrete adapters and builds Services."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.accounts.service import AccountService
from endy.accounts.sso import SingleSignOn
from endy.accounts.throttle import LoginLimits, LoginThrottle
from endy.accounts.users import UserDirectory
from endy.accounts.users_sync import UsersFileSync
from endy.ask.answers import Answers
from endy.ask.catalog import Catalog, SectionCatalog, letters
from endy.ask.decision import Confidence
from endy.ask.enrich.job import Enrichment
from endy.ask.enrich.judge import Judge
from endy.ask.offtopic import OffTopic
from endy.ask.question_log import QuestionLog
from endy.ask.retention import QuestionRetention
from endy.ask.service import AskService
from endy.ask.writer import Writer
from endy.audit.service import AuditLog, Event, masked
from endy.background import Repeating
from endy.errors import ServiceUnavailable, StartupError
from endy.feedback.service import FeedbackService
from endy.knowledge import repository as knowledge
from endy.knowledge.sync import KnowledgeSync, SyncReport
from endy.knowledge.vectors import Progress
from endy.knowledge.watcher import KnowledgeWatcher
from endy.limits.rate import MemoryRateLimiter, RateLimiter
from endy.limits.redis import RedisRateLimiter
from endy.llm.build import language_model
from endy.llm.ledger import RedisLedger
from endy.llm.models import LanguageModel
from endy.observability.health import Health
from endy.observability.metrics import Metrics, free_bytes
from endy.retrieval.fusion import Fusion
from endy.retrieval.search import Language, Searcher, SectionSearcher
from endy.retrieval.vectors import Embedder, LocalEmbedder, embed_section, local_embedder_problem
from endy.retrieval.vocabulary import SHIPPED_VOCABULARY, Concept, VocabularyError, parse_vocabulary
from endy.settings import Settings
from endy.storage import migrations
from endy.storage.engine import create_engine, create_thread_engine
from endy.storage.jobs import Jobs
from endy.storage.move.mover import refuse_half_moved
from endy.storage.probe import DatabaseProbe
from endy.storage.redis import RedisStore, Use
from endy.storage.transaction import reading
from endy.storage.waiting import wait_for_database

if TYPE_CHECKING:
    from endy.knowledge.postgresql.index import PostgresSearcher

DATABASE_PATIENCE = 30.0
START_PATIENCE = 25.0
"""Seconds that a first start waits for vectors; the rest is made while it serves."""

USERS_FILE_EVERY = 2.0
ENRICH_EVERY = 600.0
RETENTION_EVERY = 24 * 3600.0
LOOK_FOR_WORK_EVERY = 300.0

ENOUGH_DISK = 1024**3
"""Bytes; the guide's alarm rings below the same."""

SEARCH_CONNECTIONS = 4
"""To PostgreSQL for searches there, beside DATABASE_POOL_SIZE."""

S = TypeVar("S", bound=Searcher)

_log = structlog.get_logger(__name__)


Making = Callable[[Iterable[frozenset[str]]], Awaitable[S]]
"""Makes a searcher of the newest committed knowledge, with the views of these audiences ready."""


class LiveSearcher(Generic[S]):
    """The current snapshot; replaced as a whole, so that a reader sees the old one or the new one."""

    def __init__(self, make: Making[S]) -> None:
        self._make = make
        self._current: S | None = None
        self._lock = asyncio.Lock()

    def __call__(self) -> S:
        if self._current is None:
            raise StartupError("검색 색인이 아직 없어요. 'endy knowledge sync'를 먼저 실행해 주세요.")
        return self._current

    @property
    def ready(self) -> bool:
        return self._current is not None

    async def refresh(self) -> S:
        """Swap the newest knowledge in; searches go on with the old snapshot meanwhile."""
        async with self._lock:
            # Nobody who asks now waits for a view after the content has changed.
            self._current = await self._make(self._current.audiences() if self._current else [])
            return self._current


def _in_memory(settings: Settings, engine: AsyncEngine) -> Making[SectionSearcher]:
    embedder, language = build_embedder(settings), build_language(settings)

    async def make(warm: Iterable[frozenset[str]]) -> SectionSearcher:
        async with reading(engine) as connection:
            version, sections = await knowledge.load_sections(connection)
            vectors = await knowledge.load_embeddings(connection, embedder.name) if embedder else {}
        return await asyncio.to_thread(SectionSearcher, sections, vectors, language, embedder, version, warm)

    return make


def _in_postgresql(settings: Settings, stack: AsyncExitStack) -> Making["PostgresSearcher"]:
    # Here and not above: a machine with SQLite should not pay for the drivers.
    from endy.knowledge.postgresql.index import PostgresSearcher  # noqa: PLC0415
    from endy.knowledge.postgresql.repository import SearchStore  # noqa: PLC0415
    from endy.knowledge.postgresql.tables import schema_name  # noqa: PLC0415
    from endy.knowledge.postgresql.writer import IndexWriter  # noqa: PLC0415

    embedder, language = build_embedder(settings), build_language(settings)
    model, dimensions = (embedder.name, embedder.dimensions) if embedder else ("", 0)
    schema = schema_name(model, dimensions, language.whole_words)
    engine = create_engine(settings, patient=True)
    stack.push_async_callback(engine.dispose)
    writer = IndexWriter(engine, schema, language.analyzer, model, dimensions, letters)
    store = SearchStore(create_thread_engine(settings, SEARCH_CONNECTIONS), schema, model)
    stack.callback(store.close)

    async def make(warm: Iterable[frozenset[str]]) -> PostgresSearcher:
        await writer.bring_up()
        return await asyncio.to_thread(PostgresSearcher, store, language, embedder, warm)

    return make


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the doors (web, CLI, channels) call."""

    settings: Settings
    engine: AsyncEngine
    ask: AskService
    catalog: Catalog
    searcher: LiveSearcher[Any]
    accounts: AccountService
    users: UserDirectory
    users_file: UsersFileSync
    audit: AuditLog
    jobs: Jobs
    sso: SingleSignOn | None
    feedback: FeedbackService
    model: LanguageModel
    limiter: RateLimiter
    redis: RedisStore | None
    health: Health
    metrics: Metrics

    async def refresh(self) -> None:
        """Search the newest committed knowledge from now on."""
        searcher = await self.searcher.refresh()
        self.metrics.knowledge_sections.set(searcher.size)
        self.metrics.knowledge_version.set(searcher.version)

    async def read_gauges(self) -> None:
        """Set what is known by asking the database. Raises ServiceUnavailable while that is away."""
        self.metrics.active_users.set(await self.accounts.active_users())
        self.metrics.knowledge_problems.set(await knowledge.unreadable_documents(self.engine))
        budget = self.settings.llm_daily_budget_krw
        if self.metrics.llm_budget_used is not None and budget:
            self.metrics.llm_budget_used.set(await self.model.spent_today() / budget)
        for job in await self.jobs.states():
            self.metrics.job_running.labels(job.name).set(job.state == "running")
            if job.succeeded_at is not None:
                self.metrics.job_succeeded.labels(job.name).set(job.succeeded_at.timestamp())

    async def on_knowledge(self, _version: int) -> None:
        await self.refresh()

    def on_failure(self, error: Exception) -> None:
        self.metrics.errors.labels(type(error).__name__).inc()


@lru_cache(maxsize=1)
def _local_embedder() -> Embedder | None:
    problem = local_embedder_problem()
    if problem is not None:
        _log.warning("local_embeddings_unavailable", reason=problem, effect="낱말 검색만으로 답해요")
        return None
    return LocalEmbedder()


def build_embedder(settings: Settings) -> Embedder | None:
    """The embedder that EMBEDDINGS names; None means search by words alone."""
    return _embedder(settings.embeddings)


def _embedder(name: str) -> Embedder | None:
    if name == "openai":
        _log.warning("remote_embeddings_unavailable", setting="EMBEDDINGS=openai", effect="낱말 검색만으로 답해요")
    return _local_embedder() if name == "local" else None


def build_language(settings: Settings, fusion: Fusion | None = None) -> Language:
    """Analyzer, vocabulary and fusion. Raises StartupError for a vocabulary line that cannot be read."""
    try:
        concepts = _concepts(SHIPPED_VOCABULARY) + _concepts(settings.vocabulary_file)
    except VocabularyError as error:
        raise StartupError(str(error)) from None
    language = _language(tuple(concepts), tuple(_own_words(settings.words_file)), settings.embeddings)
    return replace(language, fusion=fusion) if fusion else language


@lru_cache(maxsize=1)
def _language(concepts: tuple[Concept, ...], words: tuple[str, ...], embeddings: str) -> Language:
    """Seconds of work, the same for every snapshot and every application in this process."""
    return Language.build(concepts, words, Fusion.shipped(), _embedder(embeddings))


def _concepts(path: Path) -> list[Concept]:
    return parse_vocabulary(path.read_text(encoding="utf-8"), path.name) if path.is_file() else []


def _own_words(path: Path) -> list[str]:
    if not path.is_file():
        return []
    lines = (line.split("#", 1)[0].strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
    return [line for line in lines if line]


def build_sync(settings: Settings, engine: AsyncEngine) -> KnowledgeSync:
    """The sync of files into the database, with the embedder that the settings name."""
    embedder = build_embedder(settings)
    if embedder is None:
        return KnowledgeSync(engine, settings)
    return KnowledgeSync(engine, settings, partial(embed_section, embedder), embedder.name)


async def prepare(settings: Settings, progress: Progress | None = None) -> SyncReport:
    """Migrate the database and bring it up to the files, before anybody is served; vectors as far as START_PATIENCE."""
    engine = create_engine(settings)
    try:
        await wait_for_database(engine, DATABASE_PATIENCE)
        await refuse_half_moved(engine)
        await migrations.upgrade(engine)
        job = build_sync(settings, engine)
        try:
            return await job.sync(progress, START_PATIENCE)
        finally:
            job.close()
    finally:
        await engine.dispose()


@asynccontextmanager
async def running_services(
    settings: Settings, metrics: Metrics | None = None, *, background: bool = True
) -> AsyncIterator[Services]:
    """Services for as long as the context lasts; `background` follows files while they run."""
    metrics = metrics or Metrics()
    engine = create_engine(settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        await wait_for_database(engine, DATABASE_PATIENCE)
        await refuse_half_moved(engine)
        await migrations.upgrade(engine)
        services = _assemble(settings, engine, metrics, stack)
        if services.redis is not None:
            stack.push_async_callback(services.redis.aclose)
            # An operator who mistypes its password should read so now.
            await services.redis.ping()
        stack.push_async_callback(services.model.aclose)
        stack.push_async_callback(services.ask.close)
        stack.callback(services.accounts.close)
        await note_settings(services.audit, settings)
        await services.users_file.sync()
        if not settings.name_login and not settings.single_sign_on and not await services.users.an_admin_can_enter():
            _log.warning("no_admin_can_sign_in", what_to_do="endy users link 사번 으로 비밀번호 링크를 만들어 주세요")
        job = build_sync(settings, engine)
        stack.callback(job.close)
        await job.sync(patience=0.0 if background else math.inf)
        await services.refresh()
        if background:
            watcher = KnowledgeWatcher(job, services.on_knowledge, services.searcher().version, services.on_failure)
            watcher.on_look = metrics.knowledge_synced.set_to_current_time
            watcher.start()
            stack.push_async_callback(watcher.stop)
            for repeated in _repeated(services):
                repeated.start()
                stack.push_async_callback(repeated.stop)
        yield services


def _repeated(services: Services) -> list[Repeating]:
    """What goes on beside the serving; of all replicas, one does what is a job."""
    settings = services.settings
    retention = QuestionRetention(services.engine, settings.question_retention_days)

    async def forget() -> None:
        async with services.jobs.turn("question-retention", RETENTION_EVERY) as turn:
            if turn is not None:
                await retention.clean()

    repeated = [
        Repeating("users-file", services.users_file.sync, USERS_FILE_EVERY, first=USERS_FILE_EVERY),
        Repeating("question-retention", forget, LOOK_FOR_WORK_EVERY),
    ]
    if settings.llm_enrich:
        enrichment = build_enrichment(services)

        async def enrich() -> None:
            async with services.jobs.turn("generated-questions") as turn:
                if turn is not None:
                    await enrichment.run(turn.progress)

        repeated.append(Repeating("generated-questions", enrich, ENRICH_EVERY))
    return repeated


async def note_settings(audit: AuditLog, settings: Settings) -> None:
    """Record the settings if they are others than at the last start; of a secret only that there is one."""
    current = masked(settings.shown())
    last = (await audit.page(1, action="settings_changed")).items
    before = (last[0].after if last else None) or {}
    if before == current:
        return
    was = {name: before.get(name) for name in current if before.get(name) != current[name]}
    try:
        await audit.add(Event("settings_changed", "start", before=was if before else None, after=current))
    except ServiceUnavailable as error:
        # Who cannot write may still read: answering does not wait for the log.
        _log.warning("audit_not_written", action="settings_changed", reason=error.message)


def _build_search(settings: Settings, engine: AsyncEngine, stack: AsyncExitStack) -> tuple[LiveSearcher[Any], Catalog]:
    if settings.search == "memory":
        in_memory = LiveSearcher(_in_memory(settings, engine))
        return in_memory, SectionCatalog(in_memory)
    if engine.dialect.name != "postgresql":
        raise StartupError("SEARCH=postgres: DATABASE_URL이 PostgreSQL일 때만 쓸 수 있어요.")
    from endy.ask.stored_catalog import StoredCatalog  # noqa: PLC0415  needs the drivers, too

    stored = LiveSearcher(_in_postgresql(settings, stack))
    return stored, StoredCatalog(stored)


def _assemble(settings: Settings, engine: AsyncEngine, metrics: Metrics, stack: AsyncExitStack) -> Services:
    searcher, catalog = _build_search(settings, engine, stack)
    metrics.watch_disk(_data_folder(settings))
    redis = _build_redis(settings, metrics)
    model = language_model(settings, metrics, RedisLedger(redis) if redis else None)
    if settings.openai_api_key is not None:
        metrics.watch_model(lambda: model.available, bool(settings.llm_daily_budget_krw))
    return Services(
        settings=settings,
        engine=engine,
        ask=AskService(
            QuestionLog(engine),
            searcher,
            Confidence.shipped(),
            OffTopic(build_embedder(settings)),
            metrics,
            build_writer(settings, model, metrics),
            Answers(settings.answer_cache_seconds, redis),
            settings.slow_question_seconds,
        ),
        catalog=catalog,
        searcher=searcher,
        accounts=AccountService(engine, settings, _build_throttle(settings, redis)),
        users=UserDirectory(engine, settings),
        users_file=UsersFileSync(engine, settings),
        audit=AuditLog(engine),
        jobs=Jobs(engine),
        sso=SingleSignOn(settings) if settings.single_sign_on else None,
        feedback=FeedbackService(engine, metrics),
        limiter=_limiter(redis, "rate_limit", "ask", settings.rate_limit_per_minute, settings.rate_limit_per_hour),
        redis=redis,
        model=model,
        health=_build_health(settings, engine, searcher, model, redis),
        metrics=metrics,
    )


def _build_redis(settings: Settings, metrics: Metrics) -> RedisStore | None:
    if settings.redis_url is None:
        return None
    secret = settings.secret_key.get_secret_value()
    return RedisStore(settings.redis_url, secret, lambda use: metrics.redis_fallbacks.labels(use).inc())


def _limiter(redis: RedisStore | None, use: Use, name: str, per_minute: int, per_hour: int) -> RateLimiter:
    if redis is None:
        return MemoryRateLimiter(per_minute, per_hour)
    return RedisRateLimiter(redis, use, name, per_minute, per_hour)


def _build_throttle(settings: Settings, redis: RedisStore | None) -> LoginThrottle:
    limits = LoginLimits(
        pair=_limiter(redis, "login_limit", "pair", 5, 20),
        account=_limiter(redis, "login_limit", "account", 10, 60),
        address=_limiter(redis, "login_limit", "address", 30, 300),
    )
    return LoginThrottle(limits, settings.secret_key.get_secret_value())


def build_writer(settings: Settings, model: LanguageModel, metrics: Metrics) -> Writer | None:
    """Who words the answers; None where they are quoted."""
    if settings.openai_api_key is None:
        return None
    allowed = frozenset(settings.llm_allowed_audiences)
    return Writer(model, settings.openai_model, settings.llm_context_tokens, allowed, metrics)


def build_enrichment(services: Services) -> Enrichment:
    """The job that has questions written; without a model its report says so."""
    embedder = build_embedder(services.settings)
    offtopic = OffTopic(embedder)
    return Enrichment(
        services.engine,
        services.model,
        services.searcher,
        Judge(Confidence.shipped(), lambda result: offtopic.closeness(result.query.vector)),
        embedder,
        frozenset(services.settings.llm_allowed_audiences),
        services.refresh,
    )


def _build_health(
    settings: Settings, engine: AsyncEngine, searcher: LiveSearcher[Any], model: LanguageModel, redis: RedisStore | None
) -> Health:
    health = Health()

    async def llm_service() -> bool:
        return model.available

    probe = DatabaseProbe(settings.database_url)

    async def database() -> bool:
        await knowledge.knowledge_version(engine)
        return probe.unmoved()

    async def disk_space() -> bool:
        return free_bytes(_data_folder(settings)) >= ENOUGH_DISK

    async def search_index() -> bool:
        return searcher.ready

    health.register("llm_service", llm_service, needed=False, expected=settings.openai_api_key is not None)
    health.register("database", database, needed=True)
    health.register("database_writes", probe.writable, needed=False)
    health.register("disk_space", disk_space, needed=False)
    health.register("search_index", search_index, needed=True)
    if redis is not None:
        health.register("redis", redis.ping, needed=False)
    return health


def _data_folder(settings: Settings) -> Path:
    url = settings.database_url
    return Path(url.removeprefix("sqlite:///")).parent if url.startswith("sqlite") else settings.log_file.parent
