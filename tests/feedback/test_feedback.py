"""Feedback: one opinion per answer and asker, changeable, private, bounded, and masked before it is stored."""

import asyncio
import base64
import csv
import io
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.web.conftest import Client, client, make_settings, sign_in

__all__ = ["client", "make_settings"]

RATE, EXPLAIN, STATS = "/api/feedback", "/api/feedback/detailed", "/api/feedback/stats"


@pytest.fixture
async def http(client: Client) -> AsyncIterator[httpx.AsyncClient]:
    async with client(rate_limit_per_minute=1000, rate_limit_per_hour=1000) as opened:
        yield opened


@pytest.fixture
async def me(http: httpx.AsyncClient) -> dict[str, str]:
    return await sign_in(http, "2024003", "박민수")


@pytest.fixture
async def admin(http: httpx.AsyncClient) -> dict[str, str]:
    return await sign_in(http, "2024001", "김철수")


async def asked(http: httpx.AsyncClient, headers: dict[str, str] | None = None) -> str:
    answer = await http.post("/api/ask", json={"question": "병가 서류"}, headers=headers)
    return str(answer.json()["question_id"])


async def stats(http: httpx.AsyncClient, admin: dict[str, str]) -> dict:
    return (await http.get(STATS, headers=admin)).json()["stats"]


async def test_the_same_opinion_twice_is_one(http: httpx.AsyncClient, me: dict, admin: dict) -> None:
    """A repeated click or a retry changes nothing: one row, one count, in the statistics and in the metrics."""
    body = {"question_id": await asked(http, me), "is_helpful": True, "comment": "고마워요"}
    answers = [await http.post(RATE, json=body, headers=me) for _ in range(5)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    found = await stats(http, admin)
    assert (found["total"], found["helpful"], found["satisfaction"]) == (1, 1, 1.0)
    assert 'feedback_total{type="helpful"} 1.0' in (await http.get("/metrics")).text


async def test_twenty_at_once_are_one(http: httpx.AsyncClient, me: dict, admin: dict) -> None:
    """Concurrent clicks make no second row and no error."""
    question = await asked(http, me)
    bodies = [{"question_id": question, "is_helpful": bool(number % 2)} for number in range(20)]
    answers = await asyncio.gather(*(http.post(RATE, json=body, headers=me) for body in bodies))
    assert {answer.status_code for answer in answers} == {200}
    assert (await stats(http, admin))["total"] == 1


async def test_an_opinion_can_change(http: httpx.AsyncClient, me: dict, admin: dict) -> None:
    """The last word counts; reasons say unhelpful, and helpful after all takes the reasons back."""
    question = await asked(http, me)
    steps = [
        (RATE, {"is_helpful": True}, (1, 0, 0)),
        (RATE, {"is_helpful": False}, (0, 1, 0)),
        (EXPLAIN, {"reasons": ["outdated", "wrong"]}, (0, 1, 1)),
        (EXPLAIN, {"reasons": ["wrong"]}, (0, 1, 0)),
        (EXPLAIN, {"reasons": ["outdated", "outdated"]}, (0, 1, 1)),
        (RATE, {"is_helpful": False}, (0, 1, 1)),
        (RATE, {"is_helpful": True}, (1, 0, 0)),
    ]
    for path, body, expected in steps:
        assert (await http.post(path, json={"question_id": question} | body, headers=me)).status_code == 200
        found = await stats(http, admin)
        assert (found["helpful"], found["unhelpful"], found["reasons"]["outdated"]) == expected, body
        assert found["total"] == 1


async def test_a_comment_stays_until_it_is_changed(http: httpx.AsyncClient, me: dict, admin: dict) -> None:
    """A later opinion without a comment keeps it; an empty one takes it back."""
    question = await asked(http, me)

    async def comment() -> str:
        return (await http.get(EXPLAIN, headers=admin)).json()["feedback"][0]["comment"]

    await http.post(RATE, json={"question_id": question, "is_helpful": False, "comment": "낡았어요"}, headers=me)
    await http.post(EXPLAIN, json={"question_id": question, "reasons": ["outdated"]}, headers=me)
    assert await comment() == "낡았어요"
    await http.post(RATE, json={"question_id": question, "is_helpful": False, "comment": ""}, headers=me)
    assert await comment() == ""


async def test_anothers_answer_is_as_unknown_as_none(http: httpx.AsyncClient, me: dict, admin: dict) -> None:
    """Whoever guesses an id learns nothing: the same 404, word for word, and nothing is stored."""
    ids = {
        "another person's": await asked(http, admin),
        "nobody's": await asked(http),
        "none": "0" * 32,
        "strange": "' OR 1=1 --",
    }
    for path, body in ((RATE, {"is_helpful": False}), (EXPLAIN, {"reasons": ["wrong"]})):
        answers = {who: await http.post(path, json={"question_id": id_} | body, headers=me) for who, id_ in ids.items()}
        assert {answer.status_code for answer in answers.values()} == {404}
        assert len({answer.text for answer in answers.values()}) == 1
        assert not [who for who, id_ in ids.items() if id_ in answers[who].text]
    mine = await asked(http, me)
    stranger = await http.post(RATE, json={"question_id": mine, "is_helpful": True})
    assert stranger.status_code == 404
    assert (await stats(http, admin))["total"] == 0


async def test_a_comment_is_masked_before_it_is_stored(
    http: httpx.AsyncClient, me: dict, admin: dict, tmp_path: Path
) -> None:
    """Numbers and addresses of people are in no answer, no table and no log."""
    question = await asked(http, me)
    comment = "홍길동 010-1234-5678, hong@encar.example, 900101-1234567로 알려 주세요"
    await http.post(RATE, json={"question_id": question, "is_helpful": False, "comment": comment}, headers=me)
    row = (await http.get("/api/feedback/negative", headers=admin)).json()["feedback"][0]
    assert row["comment"] == "홍길동 [전화번호], [이메일], [주민등록번호]로 알려 주세요"
    await http.post(EXPLAIN, json={"question_id": question, "reasons": ["other"], "comment": comment}, headers=me)
    assert not traces(tmp_path)


def traces(folder: Path) -> list[str]:
    needles = (b"1234-5678", b"hong@encar", b"1234567")
    return [
        path.name
        for path in folder.iterdir()
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


async def test_comments_are_kept_as_they_are_otherwise(http: httpx.AsyncClient, me: dict, admin: dict) -> None:
    """Line ends, emoji, markup and quotes survive; characters without meaning go."""
    question = await asked(http, me)
    comment = "첫 줄\n둘째 줄 <b>굵게</b> '); DROP TABLE feedback; -- \U0001f600\x0b\x07"
    body = {"question_id": question, "is_helpful": False, "comment": comment}
    assert (await http.post(RATE, json=body, headers=me)).status_code == 200
    row = (await http.get(EXPLAIN, headers=admin)).json()["feedback"][0]
    assert row["comment"] == comment.rstrip("\x0b\x07")


async def test_what_goes_beyond_the_limits_is_refused(http: httpx.AsyncClient, me: dict, admin: dict) -> None:
    """A thousand characters are a comment and one more is not; reasons come from the list; nothing is half stored."""
    question = await asked(http, me)
    good = {"question_id": question, "is_helpful": True}
    longest = await http.post(RATE, json=good | {"comment": "\U0001f600" * 1000}, headers=me)
    assert longest.status_code == 200
    bad = [
        (RATE, good | {"comment": "가" * 1001}),
        (RATE, good | {"comment": 5}),
        (RATE, good | {"is_helpful": "maybe"}),
        (RATE, good | {"is_helpful": None}),
        (RATE, {"question_id": question}),
        (RATE, good | {"question_id": ""}),
        (RATE, good | {"question_id": "a" * 65}),
        (RATE, good | {"question_id": None}),
        (EXPLAIN, {"question_id": question, "reasons": []}),
        (EXPLAIN, {"question_id": question, "reasons": ["wrong"] * 11}),
        (EXPLAIN, {"question_id": question, "reasons": ["made up"]}),
        (EXPLAIN, {"question_id": question, "reasons": "wrong"}),
        (EXPLAIN, {"question_id": question}),
    ]
    for path, body in bad:
        answer = await http.post(path, json=body, headers=me)
        assert (answer.status_code, answer.json()["error"]) == (422, "validation_error"), body
        assert "made up" not in answer.text
    found = await stats(http, admin)
    assert (found["total"], found["helpful"]) == (1, 1)


async def test_pages_show_every_opinion_once(http: httpx.AsyncClient, me: dict, admin: dict) -> None:
    """From the newest to the oldest, with a cursor that survives new opinions in between, to an end."""
    ids = [await asked(http, me) for _ in range(7)]
    for number, id_ in enumerate(ids):
        await http.post(RATE, json={"question_id": id_, "is_helpful": number % 2 == 0}, headers=me)
    seen: list[str] = []
    cursor = ""
    for _ in range(10):
        page = (await http.get(EXPLAIN, params={"limit": 3, "cursor": cursor}, headers=admin)).json()
        seen += [row["question_id"] for row in page["feedback"]]
        if page["next_cursor"] is None:
            break
        cursor = page["next_cursor"]
        late = await asked(http, me)
        await http.post(RATE, json={"question_id": late, "is_helpful": True}, headers=me)
    assert seen == ids[::-1]
    negative = (await http.get("/api/feedback/negative", params={"limit": 200}, headers=admin)).json()
    assert [row["question_id"] for row in negative["feedback"]] == ids[1::2][::-1]
    assert negative["next_cursor"] is None


def cursor_of(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


async def test_an_invented_cursor_is_refused(http: httpx.AsyncClient, admin: dict) -> None:
    """422, never a fault, for anything that is no cursor of ours."""
    invented = [
        "x",
        "가나다",
        "%00",
        "====",
        cursor_of(),
        cursor_of("2024-01-01T00:00:00", "a"),
        cursor_of("no date", "a", "b"),
        cursor_of(5, "a", "b"),
        cursor_of("2024-01-01T00:00:00", "\ud800", "b"),
        cursor_of("2024-01-01T00:00:00", "a", "\udfff"),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"[" * 300).decode(),
    ]
    for cursor in invented:
        answer = await http.get(EXPLAIN, params={"cursor": cursor}, headers=admin)
        assert (answer.status_code, answer.json()["error"]) == (422, "validation_error"), cursor
    for limit in (0, 201, -1, "x"):
        assert (await http.get(EXPLAIN, params={"limit": limit}, headers=admin)).status_code == 422


async def test_only_admins_read(http: httpx.AsyncClient, me: dict) -> None:
    """Every list is closed to nobody and to users, whatever the parameters."""
    for path in (STATS, EXPLAIN, "/api/feedback/negative"):
        for parameters in ({}, {"limit": 500}, {"cursor": "x"}):
            assert (await http.get(path, params=parameters)).status_code == 401, path
            assert (await http.get(path, params=parameters, headers=me)).status_code == 403, path


async def test_without_any_opinion_there_is_no_share(http: httpx.AsyncClient, admin: dict) -> None:
    """Nothing is divided by nothing."""
    found = await stats(http, admin)
    assert (found["total"], found["satisfaction"]) == (0, None)


async def test_who_may_not_ask_may_not_rate(client: Client) -> None:
    """With ANONYMOUS_ACCESS=false an opinion needs a session."""
    async with client(anonymous_access=False) as http:
        answer = await http.post(RATE, json={"question_id": "a", "is_helpful": True})
    assert (answer.status_code, answer.json()["error"]) == (401, "authentication_required")


async def test_a_locked_database_is_a_clear_503(http: httpx.AsyncClient, me: dict, tmp_path: Path) -> None:
    """An opinion that cannot be stored is not acknowledged, and can be sent again."""
    body = {"question_id": await asked(http, me), "is_helpful": True}
    with closing(sqlite3.connect(tmp_path / "endy.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = await http.post(RATE, json=body, headers=me)
        other.execute("ROLLBACK")
    assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable")
    assert (await http.post(RATE, json=body, headers=me)).status_code == 200


async def test_stats_are_told_by_category_and_by_day(http: httpx.AsyncClient, me: dict, admin: dict) -> None:
    """Each with its own counts; what is older than thirty days is only in the totals."""
    for helpful in (True, True, False):
        await http.post(RATE, json={"question_id": await asked(http, me), "is_helpful": helpful}, headers=me)
    await http.post(EXPLAIN, json={"question_id": await asked(http, me), "reasons": ["wrong", "outdated"]}, headers=me)
    found = await stats(http, admin)
    counts = {"total": 4, "helpful": 2, "unhelpful": 2}
    assert found["by_category"] == {"HR": counts}
    assert list(found["by_day"].values()) == [counts]
    assert {reason: count for reason, count in found["reasons"].items() if count} == {"wrong": 1, "outdated": 1}


async def test_the_export_holds_every_opinion(http: httpx.AsyncClient, me: dict, admin: dict) -> None:
    """As CSV, newest first, masked, with nothing that a spreadsheet would run; who took it is on record."""
    for comment in ("첫째", "=HYPERLINK(1)", "제 번호는 010-9876-5432"):
        body = {"question_id": await asked(http, me), "is_helpful": False, "comment": comment}
        await http.post(RATE, json=body, headers=me)
    answer = await http.get("/api/feedback/export", headers=admin)
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["comment"] for row in rows] == ["제 번호는 [전화번호]", "'=HYPERLINK(1)", "첫째"]
    events = (await http.get("/api/admin/audit?action=feedback_exported", headers=admin)).json()["events"]
    assert [event["actor"] for event in events] == ["2024001"]


async def test_more_than_a_page_is_exported(http: httpx.AsyncClient, me: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page, nothing twice and nothing left out."""
    monkeypatch.setattr("endy.feedback.service.PAGE", 3)
    service = http.app.state.services.feedback  # type: ignore[attr-defined]
    ids = [await asked(http, me) for _ in range(7)]
    for question in ids:
        await http.post(RATE, json={"question_id": question, "is_helpful": True}, headers=me)
    assert [row.question_id async for row in service.rows()] == ids[::-1]
