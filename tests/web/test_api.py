"""The HTTP contract, call by call, against the real application."""

import asyncio
import json
from dataclasses import fields
from pathlib import Path

import pytest

from endy.ask.models import Answer, Source
from tests.web.conftest import PEOPLE, Client, sign_in

ASK = "/api/ask"
METRICS = (
    "api_response_seconds",
    "llm_requests",
    "llm_response_seconds",
    "cache_operations",
    "feedback",
    "errors",
    "active_users",
    "llm_tokens",
    "answers",
    "retrieval_seconds",
    "knowledge_sections",
    "disk_free_bytes",
)


async def test_an_answer_has_every_field_of_the_contract(client: Client) -> None:
    """Answer, owner, source and its exact passage come back, with the request's id."""
    async with client() as http:
        response = await http.post(
            ASK, json={"question": "연차 이월 언제까지 신청해?"}, headers={"X-Request-ID": "abcd-1234"}
        )
    body = response.json()
    assert response.status_code == 200
    assert response.headers["X-Request-ID"] == "abcd-1234"
    assert set(body) == {field.name for field in fields(Answer)}
    assert (body["status"], body["mode"], body["department"], body["contact"]) == (
        "answered",
        "extractive",
        "P&C팀",
        "내선 3100",
    )
    assert set(body["sources"][0]) == {field.name for field in fields(Source)}
    assert body["sources"][0]["id"] == "people.md#휴가 > 연차 이월"
    assert body["sources"][0]["number"] == 1
    assert "12월 10일" in body["answer"]
    assert 0 <= body["confidence_score"] <= 1


async def test_the_stream_says_the_same_as_the_whole_answer(client: Client) -> None:
    """meta, then deltas that add up to the answer, then done with everything; each one JSON line."""
    async with client() as http:
        response = await http.post("/api/ask/stream", json={"question": "연차 이월 언제까지 신청해?"})
    events = [block.split("\n") for block in response.text.strip().split("\n\n")]
    names = [lines[0].removeprefix("event: ") for lines in events]
    data = [json.loads(lines[1].removeprefix("data: ")) for lines in events]
    assert all(len(lines) == 2 for lines in events)
    assert (names[0], names[-1], set(names[1:-1])) == ("meta", "done", {"delta"})
    assert data[0]["sources"] == data[-1]["sources"]
    assert "".join(piece["text"] for piece in data[1:-1]) == data[-1]["answer"]
    assert response.headers["content-type"].startswith("text/event-stream")


async def test_what_the_knowledge_does_not_hold_is_refused(client: Client) -> None:
    """No answer is made up; the answer says so and shows no source."""
    async with client() as http:
        body = (await http.post(ASK, json={"question": "화성까지 로켓으로 며칠 걸려?"})).json()
    assert body["status"] == "no_answer"
    assert body["sources"] == []
    assert "답을 찾지 못했어요" in body["answer"]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"content": '{"question": ""}'}, 422, "validation_error"),
        ({"content": '{"question": "   "}'}, 422, "validation_error"),
        ({"content": json.dumps({"question": "가" * 501})}, 422, "validation_error"),
        ({"content": '{"question": "\\ud800"}'}, 422, "validation_error"),
        ({"content": "{"}, 422, "validation_error"),
        ({"content": "{}"}, 422, "validation_error"),
        ({"content": "question=x", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"content": b" " * 300_000}, 413, "payload_too_large"),
    ],
)
async def test_bad_input_gets_one_clear_error(client: Client, sent: dict, status: int, code: str) -> None:
    """Every refusal has the same shape, a Korean sentence and none of what was typed."""
    headers = {"Content-Type": "application/json"} | sent.get("headers", {})
    async with client() as http:
        response = await http.post(ASK, content=sent["content"], headers=headers)
    assert (response.status_code, response.json()["error"]) == (status, code)
    assert set(response.json()) == {"error", "message", "details"}
    assert "가가가" not in response.text


async def test_the_longest_question_is_answered(client: Client) -> None:
    """500 characters after trimming are allowed."""
    async with client() as http:
        response = await http.post(ASK, json={"question": "  " + "연차 " * 166 + "이월  "})
    assert response.status_code == 200


async def test_the_eleventh_question_of_a_minute_is_refused(client: Client) -> None:
    """As in the guide; refused calls and bad bodies count alike, and the headers say how long to wait."""
    async with client() as http:
        answers = [await http.post(ASK, content="{", headers={"Content-Type": "application/json"}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert answers[-1].json()["error"] == "rate_limit_exceeded"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[0].headers["RateLimit-Remaining"] == "9"


async def test_exactly_ten_of_two_hundred_at_once_pass(client: Client) -> None:
    """The limit holds under concurrency, and is checked before the login that production asks for."""
    async with client(anonymous_access=False) as http:
        answers = await asyncio.gather(*(http.post(ASK, json={"question": "주차"}) for _ in range(200)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (10, 190)


async def test_forwarded_addresses_count_only_from_trusted_proxies(client: Client) -> None:
    """An invented X-Forwarded-For buys no second budget unless the caller is a trusted proxy."""
    async with client(rate_limit_per_minute=1) as http:
        first, second = [
            (await http.post(ASK, json={"question": "주차"}, headers={"X-Forwarded-For": f"203.0.113.{n}"})).status_code
            for n in (1, 2)
        ]
    assert (first, second) == (200, 429)
    async with client(rate_limit_per_minute=1, trusted_proxies="127.0.0.1") as http:
        statuses = [
            (
                await http.post(ASK, json={"question": "주차"}, headers={"X-Forwarded-For": f"9.9.9.9, 203.0.113.{n}"})
            ).status_code
            for n in (1, 2, 1)
        ]
    assert statuses == [200, 200, 429]


async def test_the_guides_admin_calls(client: Client) -> None:
    """401 without a session, 403 with the guide's words for a user, 200 for an admin."""
    async with client() as http:
        nobody = await http.get("/api/feedback/detailed")
        user = await http.get("/api/feedback/detailed", headers=await sign_in(http, "2024003", "박민수"))
        admin = await http.get("/api/feedback/detailed", headers=await sign_in(http, "2024001", "김철수"))
    assert (nobody.status_code, nobody.json()["error"]) == (401, "authentication_required")
    assert user.status_code == 403
    assert user.json() | {"details": {}} == {
        "error": "insufficient_permissions",
        "message": "관리자만 접근 가능합니다",
        "details": {},
    }
    assert admin.status_code == 200


async def test_unknown_number_and_wrong_name_answer_alike(client: Client) -> None:
    """Nobody learns from a refusal which numbers exist; production has no login by name at all."""
    async with client() as http:
        wrong = [
            await http.post("/api/login", json={"employee_id": number, "name": name})
            for number, name in (("2024001", "이영희"), ("9999999", "김철수"))
        ]
    assert {answer.status_code for answer in wrong} == {401}
    assert wrong[0].json() == wrong[1].json()
    async with client(environment="production", secret_key="k" * 40) as http:
        answer = await http.post("/api/login", json={"employee_id": "2024001", "name": "김철수"})
    assert answer.status_code == 401


async def test_a_cookie_works_and_other_sites_cannot_use_it(client: Client) -> None:
    """The cookie signs in; an unsafe call with it from another site is refused; logout ends it."""
    async with client() as http:
        await http.post("/api/login", json={"employee_id": "2024003", "name": "박민수"})
        assert (await http.get("/api/me")).json()["user"]["name"] == "박민수"
        other = await http.post(ASK, json={"question": "주차"}, headers={"Sec-Fetch-Site": "cross-site"})
        own = await http.post(ASK, json={"question": "주차"}, headers={"Sec-Fetch-Site": "same-origin"})
        await http.post("/api/logout")
        gone = await http.get("/api/me")
    assert (other.status_code, own.status_code, gone.status_code) == (403, 200, 401)


async def test_a_changed_role_counts_from_the_next_sync(client: Client, tmp_path: Path) -> None:
    """users.json decides: a promoted user loses the old session and is an admin with the next; a broken file changes
    nothing."""
    async with client() as http:
        before = await sign_in(http, "2024003", "박민수")
        promoted = [*PEOPLE[:1], PEOPLE[1] | {"role": "admin"}]
        (tmp_path / "users.json").write_text(json.dumps({"users": promoted}), encoding="utf-8")
        await http.app.state.services.users_file.sync()  # type: ignore[attr-defined]
        assert (await http.get("/api/me", headers=before)).status_code == 401
        after = await sign_in(http, "2024003", "박민수")
        assert (await http.get("/api/feedback/stats", headers=after)).status_code == 200
        (tmp_path / "users.json").write_text("{broken", encoding="utf-8")
        await http.app.state.services.users_file.sync()  # type: ignore[attr-defined]
        assert (await http.get("/api/feedback/stats", headers=after)).status_code == 200


async def test_feedback_is_one_opinion_per_answer_and_asker(client: Client) -> None:
    """A second opinion replaces the first, and nobody can rate another's answer."""
    async with client() as http:
        me, admin = await sign_in(http, "2024003", "박민수"), await sign_in(http, "2024001", "김철수")
        asked = (await http.post(ASK, json={"question": "병가 서류"}, headers=me)).json()["question_id"]
        for helpful in (True, False):
            body = {"question_id": asked, "is_helpful": helpful, "comment": "010-1234-5678로 연락 주세요"}
            assert (await http.post("/api/feedback", json=body, headers=me)).status_code == 200
        reasons = {"question_id": asked, "reasons": ["outdated"]}
        assert (await http.post("/api/feedback/detailed", json=reasons, headers=me)).status_code == 200
        stranger = await http.post("/api/feedback", json={"question_id": asked, "is_helpful": True}, headers=admin)
        missing = await http.post("/api/feedback", json={"question_id": "none", "is_helpful": True}, headers=me)
        stats = (await http.get("/api/feedback/stats", headers=admin)).json()["stats"]
        page = (await http.get("/api/feedback/negative?limit=1", headers=admin)).json()
    assert stranger.status_code == 404
    assert stranger.json() == missing.json()
    assert (stats["total"], stats["unhelpful"], stats["reasons"]["outdated"]) == (1, 1, 1)
    assert "010" not in json.dumps(page, ensure_ascii=False)


async def test_nothing_for_admins_reaches_anybody_else(client: Client) -> None:
    """The canary of an admin document shows up for the admin and in no list, answer or source of others."""
    async with client(rate_limit_per_minute=1000) as http:
        seen = []
        user = await sign_in(http, "2024003", "박민수")
        for headers in ({}, user):
            for question in ("까마귀 보너스 얼마", "임원 보너스", "777만 원", "보수"):
                seen.append((await http.post(ASK, json={"question": question}, headers=headers)).text)
            for path in ("/api/categories", "/api/questions?q=까마귀", "/api/faqs", "/api/category/기밀/questions"):
                seen.append((await http.get(path, headers=headers)).text)
            seen.append(
                (await http.get("/api/sections", params={"id": "secret.md#보수 > 까마귀 보너스"}, headers=headers)).text
            )
        admin = await sign_in(http, "2024001", "김철수")
        told = (await http.post(ASK, json={"question": "까마귀 보너스 얼마"}, headers=admin)).json()["answer"]
    assert not [text for text in seen if "까마귀" in text or "777만" in text or "기밀" in text]
    assert "777만" in told


async def test_a_conversation_is_continued_by_its_owner_only(client: Client) -> None:
    """A follow-up leans on the earlier turn; somebody else with the same id starts afresh."""
    async with client(rate_limit_per_minute=1000) as http:
        me, other = await sign_in(http, "2024003", "박민수"), await sign_in(http, "2024001", "김철수")
        first = (await http.post(ASK, json={"question": "연차 이월 되나요?"}, headers=me)).json()
        follow = {"question": "그럼 언제까지 신청해요?", "conversation_id": first["conversation_id"]}
        mine = (await http.post(ASK, json=follow, headers=me)).json()
        theirs = (await http.post(ASK, json=follow, headers=other)).json()
    assert mine["conversation_id"] == first["conversation_id"]
    assert mine["sources"][0]["id"] == "people.md#휴가 > 연차 이월"
    assert theirs["conversation_id"] != first["conversation_id"]


async def test_the_same_question_is_answered_from_memory_until_the_content_changes(
    client: Client, tmp_path: Path
) -> None:
    """The second answer is cached; an edited file changes the answer within five seconds and without a restart."""
    async with client(rate_limit_per_minute=1000) as http:
        modes = [(await http.post(ASK, json={"question": "주차 어디에 해요?"})).json()["mode"] for _ in range(2)]
        changed = (tmp_path / "faq.json").read_text(encoding="utf-8").replace("지하 2층", "지하 9층")
        changed = json.dumps(json.loads(changed) | {"note": "edited"}).replace(
            json.dumps("지하 2층")[1:-1], json.dumps("지하 9층")[1:-1]
        )
        (tmp_path / "faq.json").write_text(changed, encoding="utf-8")
        for _ in range(50):
            await asyncio.sleep(0.1)
            answer = (await http.post(ASK, json={"question": "주차 어디에 해요?"})).json()["answer"]
            if "지하 9층" in answer:
                break
    assert modes == ["extractive", "cached"]
    assert "지하 9층" in answer


async def test_health_ready_and_alive(client: Client) -> None:
    """The guide's health answer; without its database Endy is unhealthy and not ready, yet alive."""
    async with client() as http:
        good = await http.get("/health")
        assert (await http.get("/readiness")).status_code == 200
        services = http.app.state.services  # type: ignore[attr-defined]

        async def gone() -> bool:
            raise OSError

        services.health.register("database", gone, needed=True)
        services.health._until = 0.0
        bad, ready, alive = [await http.get(path) for path in ("/health", "/readiness", "/liveness")]
    assert good.status_code == 200
    assert good.json()["status"] == "healthy"
    assert {"llm_service", "database", "disk_space"} <= set(good.json()["checks"])
    assert (bad.status_code, bad.json()["status"]) == (503, "unhealthy")
    assert (ready.status_code, alive.status_code) == (503, 200)


async def test_metrics_have_the_guides_names_and_bounded_labels(client: Client) -> None:
    """Every promised name is there; a made-up path does not become a label; the token is asked for when set."""
    async with client() as http:
        await http.post(ASK, json={"question": "주차"})
        await http.get("/wp-admin/1234")
        text = (await http.get("/metrics")).text
    assert 'api_requests_total{endpoint="/api/ask",method="POST",status="200"} 1.0' in text
    assert 'endpoint="unmatched"' in text
    assert "wp-admin" not in text
    for name in METRICS:
        assert f"# TYPE {name}" in text, name
    async with client(metrics_token="m" * 20) as http:
        refused = await http.get("/metrics")
        allowed = await http.get("/metrics", headers={"Authorization": f"Bearer {'m' * 20}"})
    assert (refused.status_code, allowed.status_code) == (401, 200)


async def test_every_response_carries_the_security_headers(client: Client) -> None:
    """Pages, answers, errors, unknown paths and static files alike; scripts only from here."""
    async with client() as http:
        responses = [
            await http.get("/"),
            await http.get("/nowhere"),
            await http.post(ASK, content="{", headers={"Content-Type": "application/json"}),
            await http.get("/api/feedback/stats"),
            await http.delete("/api/ask"),
            await http.get("/static/css/base.css"),
        ]
    for response in responses:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Request-ID"]


async def test_an_unknown_fault_leaves_no_trace(client: Client) -> None:
    """A bug becomes internal_error with an id, is counted, and shows neither path nor exception."""
    async with client() as http:
        services = http.app.state.services  # type: ignore[attr-defined]
        services.catalog.categories = lambda _: 1 / 0
        response = await http.get("/api/categories")
        metrics = (await http.get("/metrics")).text
    assert (response.status_code, response.json()["error"]) == (500, "internal_error")
    assert "Zero" not in response.text
    assert 'errors_total{error_type="ZeroDivisionError"} 1.0' in metrics
    assert response.headers["X-Request-ID"]


def replace_by_folder(file: Path) -> None:
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()
    file.mkdir()


@pytest.mark.sqlite
async def test_a_dead_database_is_a_clear_503_and_no_end_of_answers(client: Client, tmp_path: Path) -> None:
    """What must be stored is refused and says to try again; an answer needs no database."""
    async with client() as http:
        services = http.app.state.services  # type: ignore[attr-defined]
        await services.engine.dispose()
        replace_by_folder(tmp_path / "endy.db")
        refused = await http.post("/api/login", json={"employee_id": "2024001", "name": "김철수"})
        answered = await http.post(ASK, json={"question": "주차"})
    assert (refused.status_code, refused.json()["error"]) == (503, "service_unavailable")
    assert (answered.status_code, bool(answered.json()["answer"])) == (200, True)
