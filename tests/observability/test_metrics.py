"""Metrics as Prometheus reads them."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain

from endy import __version__
from tests.llm.scripted import scripted_server
from tests.observability.test_tracing import PARENT, TRACE
from tests.web.conftest import Client, client, make_settings

__all__ = ["client", "make_settings"]

OPEN_METRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


async def test_both_formats_say_the_same(client: Client) -> None:
    """The plain text that the guide shows and OpenMetrics hold the same names, types and counts."""
    async with client() as http:
        await http.post("/api/ask", json={"question": "주차"})
        texts = [(await http.get("/metrics", headers=headers)).text for headers in ({}, OPEN_METRICS)]
    old = {family.name: family for family in plain(texts[0]) if not family.name.endswith("_created")}
    new = {family.name: family for family in open_metrics(texts[1])}
    assert set(old) == set(new)
    assert {name: family.type for name, family in old.items()} == {name: family.type for name, family in new.items()}
    assert 'api_requests_total{endpoint="/api/ask",method="POST",status="200"} 1.0' in texts[0]


async def test_a_slow_bucket_leads_to_its_trace(client: Client) -> None:
    """Response times carry the trace of a request that took so long, for who accepts it."""
    async with client() as http:
        await http.post("/api/ask", json={"question": "주차"}, headers={"traceparent": PARENT})
        families = list(open_metrics((await http.get("/metrics", headers=OPEN_METRICS)).text))
    times = next(family for family in families if family.name == "api_response_seconds")
    assert TRACE in {sample.exemplar.labels["trace_id"] for sample in times.samples if sample.exemplar}


async def test_health_and_version_are_metrics(client: Client) -> None:
    """So that one alarm system sees everything, also what `/health` would say."""
    async with client() as http:
        samples = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in plain((await http.get("/metrics")).text)
            for sample in family.samples
        }
    assert samples["health_status",] == 2
    assert samples["health_check", "database"] == 1
    assert any(key[0] == "build_info" and __version__ in key for key in samples)
    assert samples["process_resident_memory_bytes",] > 0
    assert samples["knowledge_problems",] == 0
    assert not any(key[0].startswith("llm_available") for key in samples)


@pytest.mark.parametrize("budget", [0, 10_000])
async def test_a_model_and_its_budget_are_metrics_where_there_are_any(client: Client, budget: int) -> None:
    """An alarm for something that is not there would never be right."""
    with scripted_server() as server:
        settings = {"openai_api_key": "sk-test", "openai_base_url": server.url, "llm_price_in_krw": 1}
        async with client(llm_daily_budget_krw=budget, **settings) as http:
            text = (await http.get("/metrics")).text
    assert "llm_available 1.0" in text
    assert ("llm_budget_used_ratio 0.0" in text) is (budget > 0)
