"""Prometheus metrics, under the names that the deployment guide gives."""

import platform
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from endy import __version__

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0)
"""Seconds; from a cached answer to one that nobody waits for."""


_STATUS = {"healthy": 2, "degraded": 1, "unhealthy": 0}


class Metrics:
    """One registry per application, so that tests can make many."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("api_requests", "HTTP 요청 수", ["method", "endpoint", "status"], registry=registry)
        self.response_seconds = Histogram(
            "api_response_seconds", "HTTP 응답 시간(초)", ["endpoint"], buckets=BUCKETS, registry=registry
        )
        self.llm_requests = Counter("llm_requests", "LLM 호출 수", ["status"], registry=registry)
        self.llm_seconds = Histogram("llm_response_seconds", "LLM 응답 시간(초)", buckets=BUCKETS, registry=registry)
        self.llm_tokens = Counter("llm_tokens", "LLM 토큰 수", ["kind"], registry=registry)
        self.llm_cost_krw = Counter("llm_cost_krw", "LLM에 쓴 돈(원)", registry=registry)
        self.written = Counter("llm_written", "모델이 쓴 답의 결말", ["outcome"], registry=registry)
        self.rewritten = Counter("llm_rewritten", "근거 확인에 걸려 다시 쓴 수", registry=registry)
        self.cache_operations = Counter("cache_operations", "답변 캐시 사용", ["operation"], registry=registry)
        self.redis_fallbacks = Counter(
            "redis_fallbacks", "Redis가 없어 이 프로세스에서 대신한 수", ["use"], registry=registry
        )
        self.feedback = Counter("feedback", "답변 평가 수", ["type"], registry=registry)
        self.errors = Counter("errors", "오류 수", ["error_type"], registry=registry)
        self.sso_sign_ins = Counter("sso_sign_ins", "회사 계정 로그인 수", ["result"], registry=registry)
        self.answers = Counter("answers", "답변 수", ["status", "mode"], registry=registry)
        self.retrieval_seconds = Histogram("retrieval_seconds", "검색 시간(초)", buckets=BUCKETS, registry=registry)
        self.search_queue_seconds = Histogram(
            "search_queue_seconds", "검색 차례를 기다린 시간(초)", buckets=BUCKETS, registry=registry
        )
        self.active_users = Gauge("active_users", "최근 15분에 쓴 사람 수", registry=registry)
        self.knowledge_sections = Gauge("knowledge_sections", "검색할 수 있는 섹션 수", registry=registry)
        self.knowledge_version = Gauge(
            "knowledge_version", "검색하는 지식 버전 (복제본마다 같아야 함)", registry=registry
        )
        self.job_succeeded = Gauge(
            "job_last_success_timestamp_seconds", "백그라운드 작업이 마지막으로 성공한 때", ["job"], registry=registry
        )
        self.job_running = Gauge("job_running", "백그라운드 작업이 돌고 있으면 1", ["job"], registry=registry)
        self.knowledge_synced = Gauge(
            "knowledge_synced_timestamp_seconds", "문서 폴더를 마지막으로 살펴본 때", registry=registry
        )
        self.knowledge_problems = Gauge("knowledge_problems", "읽지 못한 문서 수", registry=registry)
        self.health_status = Gauge("health_status", "상태: 2 healthy, 1 degraded, 0 unhealthy", registry=registry)
        self.health_check = Gauge("health_check", "점검마다 괜찮으면 1", ["check"], registry=registry)
        build = Gauge("build_info", "돌고 있는 버전", ["version", "python"], registry=registry)
        build.labels(__version__, platform.python_version()).set(1)
        ProcessCollector(registry=registry)
        self.llm_budget_used: Gauge | None = None
        self.disk_free = Gauge("disk_free_bytes", "데이터 폴더가 있는 디스크의 남은 용량", registry=registry)

    def watch_disk(self, folder: Path) -> None:
        """Read the free space whenever metrics are read."""
        self.disk_free.set_function(lambda: free_bytes(folder))

    def watch_model(self, available: Callable[[], bool], budgeted: bool) -> None:
        """Where a model writes: whether it is believed to answer, and with a budget which share of it is spent."""
        known = Gauge("llm_available", "모델이 답할 수 있으면 1", registry=self.registry)
        known.set_function(lambda: float(available()))
        if budgeted:
            self.llm_budget_used = Gauge("llm_budget_used_ratio", "오늘 예산 가운데 쓴 비율", registry=self.registry)

    def tell_health(self, status: str, checks: Mapping[str, bool]) -> None:
        self.health_status.set(_STATUS[status])
        for name, fine in checks.items():
            self.health_check.labels(name).set(fine)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """All metrics and their content type: OpenMetrics, with exemplars, for who accepts it."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


def free_bytes(folder: Path) -> float:
    """Free bytes of the file system that holds the folder or its nearest existing parent."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return float(shutil.disk_usage(existing).free)
