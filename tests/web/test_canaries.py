"""Nothing that somebody may not see reaches them: planted words are looked for in everything that comes back."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from endy.accounts.models import User
from endy.accounts.roles import audiences_of
from endy.ask.models import Answer, Asker, AskRequest
from endy.bootstrap import Services
from endy.retrieval.hangul import _KEYS, decompose
from endy.web.deps import asker_of
from tests.web.conftest import Client, sign_in

PEOPLE = {
    "anonymous": None,
    "user": User("2024003", "박민수", "IT팀", "", "user"),
    "colleague": User("2024006", "정다온", "P&C팀", "", "user"),
    "owner": User("2024004", "최하나", "총무팀", "", "owner", ("기밀인사", "IT기밀")),
    "admin": User("2024001", "김철수", "개발팀", "", "admin"),
}
# Audience of a document, the category that only it has, and words that stand nowhere else.
PLANTED = {
    "전체": ("공개안내", ("해오라비꽃길", "물푸레언덕")),
    "IT팀": ("IT기밀", ("까막딱다구리망", "너럭바위서버")),
    "P&C팀": ("기밀인사", ("두루미연봉표", "참나리평가")),
    "IT팀, P&C팀": ("공동기밀", ("쇠물닭협약", "은방울합의")),
    "admin": ("임원기밀", ("저어새합병건", "솔부엉이보너스")),
}
ASKED = 1000
SAID = (
    "{} 알려줘", "{}가 뭐야?", "{} 언제까지 신청해?", "{} 얼마야", "{} 담당자 누구야", "{} 어디서 해?", "{}", "{} 방법",
    "{} 며칠이야", "요즘 {} 어떻게 돼?", "what is {}", "{} 관련 문서", "{} 기준이 궁금해요", "{}랑 연차 이월 차이",
    "주차랑 {} 중에 뭐가 먼저야", "{} 예외도 있어?", "{} 표 보여줘", "팀장이 {} 말하던데 뭔지 알아?", "{} 링크 줘",
    "{} 못 찾겠어", "{} 신청서", "{}는 누가 정해", "{} 결과", "혹시 {} 바뀌었어?", "{} 비밀이야?",
)  # fmt: skip


def document(audience: str) -> str:
    category, (first, second) = PLANTED[audience]
    return f"""---
category: {category}
department: {first}팀
contact: {first} 담당 내선 7{len(first)}77
audience: {audience}
link: https://on.encar.example/{len(category)}-{audience.count(",")}
---
# {first} 안내서
## {second} 장
### {first} 기준
{first}는 매년 3월 2일에 정하고 {second}에 따라 12일 동안 알려요.

| {second} 구분 | {first} 금액 |
|---|---|
| {first} 갑 | 77만 원 |
| {second} 을 | 33만 원 |
### {second} 신청 방법
1. {first} 화면을 여세요.
2. {second} 단추를 누르세요.
"""


def faq(number: int, audience: str) -> dict[str, Any]:
    category, (first, second) = PLANTED[audience]
    return {
        "id": number,
        "category": category,
        "question": f"{first}는 언제 받나요?",
        "main_answer": f"{second} 다음 날에 받아요.",
        "keywords": [second],
        "department": f"{first}팀",
        "link": "",
        "audience": [name.strip() for name in audience.split(",")],
    }


@pytest.fixture
async def http(client: Client, make_settings: Any, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = make_settings
    for number, audience in enumerate(PLANTED):
        (tmp_path / "docs" / f"planted{number}.md").write_text(document(audience), encoding="utf-8")
    faqs = [faq(100 + number, audience) for number, audience in enumerate(PLANTED)]
    (tmp_path / "faq.json").write_text(json.dumps({"faqs": faqs}), encoding="utf-8")
    people = [
        {"employee_id": user.employee_id, "name": user.name, "department": user.department, "role": user.role,
         "owns": list(user.owns)}
        for user in PEOPLE.values() if user
    ]  # fmt: skip
    (tmp_path / "users.json").write_text(json.dumps({"users": people}), encoding="utf-8")
    assert settings is not None
    async with client(rate_limit_per_minute=100_000, rate_limit_per_hour=100_000) as opened:
        yield opened


def hidden_from(user: User | None) -> set[str]:
    """Planted words, categories and their beginnings that this person must never see."""
    audiences = audiences_of(user)
    words: set[str] = set()
    for audience, (category, planted) in PLANTED.items():
        if audience != "전체" and not audiences & {name.strip() for name in audience.split(",")}:
            words |= {category, *planted}
    return words


def typed_on_english_keyboard(word: str) -> str:
    keys = {jamo: key for key, jamo in reversed(_KEYS.items())}
    compound = {"ㅘ": "hk", "ㅚ": "hl", "ㅝ": "nj", "ㅟ": "nl", "ㅢ": "ml", "ㄺ": "fr", "ㄵ": "sw", "ㄶ": "sg"}
    return "".join(compound.get(jamo, keys.get(jamo, jamo)) for jamo in decompose(word))


def ways_to_say(word: str) -> Iterator[str]:
    """As it is, and so that only a repair from the hidden content's own spelling could complete it."""
    yield word
    yield word[:2] + chr(ord(word[2]) + 28) + word[3:]
    yield word[:-1] + chr(ord(word[-1]) + 1)
    yield word[: len(word) // 2 + 1]
    yield f"{word[:2]} {word[2:]}"
    yield typed_on_english_keyboard(word)


def questions() -> list[str]:
    words = [word for _, planted in PLANTED.values() for word in planted]
    asked = [pattern.format(way) for pattern in SAID for word in words for way in ways_to_say(word)]
    step = max(1, len(asked) // ASKED)
    return asked[::step][:ASKED]


def leaked(text: str, question: str, hidden: set[str]) -> set[str]:
    """What was shown of the hidden words beyond what the question itself said."""
    return {word for word in hidden if word in text and word not in question}


_json = TypeAdapter(Answer)


@pytest.mark.parametrize("who", PEOPLE)
async def test_a_thousand_questions_leak_nothing(http: httpx.AsyncClient, who: str) -> None:
    """Whatever is asked, in whatever spelling: no answer, source, choice, contact or repair shows a hidden word."""
    services: Services = http.app.state.services  # type: ignore[attr-defined]
    hidden, asker = hidden_from(PEOPLE[who]), asker_of(PEOPLE[who])
    conversation, seen = None, 0
    asked = questions()
    assert len(asked) == ASKED
    for number, question in enumerate(asked):
        answer = await services.ask.ask(AskRequest(question, conversation if number % 3 else None, None, asker))
        conversation = answer.conversation_id
        text = _json.dump_json(answer).decode()
        earlier = " ".join(asked[max(0, number - 5) : number + 1])
        assert not leaked(text, earlier, hidden), (question, text)
        seen += any(word in text for word in PLANTED["전체"][1])
    assert seen > ASKED / 20, "what everybody may see must be found, else nothing was tested"


async def test_admins_do_find_what_is_theirs(http: httpx.AsyncClient) -> None:
    """The words are there to be found: the same questions lead an admin and a colleague to their sections."""
    services: Services = http.app.state.services  # type: ignore[attr-defined]
    for who, word in (("admin", "저어새합병건"), ("user", "까막딱다구리망"), ("colleague", "두루미연봉표")):
        answer = await services.ask.ask(AskRequest(f"{word} 기준 알려줘", None, None, asker_of(PEOPLE[who])))
        assert any(word in source.title for source in answer.sources), (who, answer)


async def test_the_cache_and_a_borrowed_conversation_tell_nothing(http: httpx.AsyncClient) -> None:
    """After an admin asked, the same question from others is answered afresh; the admin's thread is not theirs."""
    services: Services = http.app.state.services  # type: ignore[attr-defined]
    question = "저어새합병건 기준 알려줘"
    theirs = await services.ask.ask(AskRequest(question, None, None, asker_of(PEOPLE["admin"])))
    assert "저어새합병건" in theirs.sources[0].title
    for who in ("anonymous", "user", "colleague", "owner"):
        hidden = hidden_from(PEOPLE[who])
        for conversation in (None, theirs.conversation_id):
            for said in (question, "그럼 얼마야?"):
                answer = await services.ask.ask(AskRequest(said, conversation, None, asker_of(PEOPLE[who])))
                assert not leaked(_json.dump_json(answer).decode(), question, hidden)
                assert answer.conversation_id != theirs.conversation_id


@pytest.mark.parametrize("who", PEOPLE)
async def test_no_list_shows_what_is_hidden(http: httpx.AsyncClient, who: str) -> None:
    """Autocomplete, categories, starters, FAQs and sections: hidden and missing answer alike, to the letter."""
    user = PEOPLE[who]
    headers = await sign_in(http, user.employee_id, user.name) if user else {}
    hidden = hidden_from(user)
    paths = ["/api/categories", "/api/faqs"]
    paths += [f"/api/questions?q={word[:size]}&limit=20" for word in hidden for size in (1, 2, 3, 99)]
    for path in paths:
        answer = await http.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        assert not leaked(answer.text, "", hidden), path
    missing = await http.get("/api/category/없는분류/questions", headers=headers)
    for category in hidden & {category for category, _ in PLANTED.values()}:
        answer = await http.get(f"/api/category/{category}/questions", headers=headers)
        assert (answer.status_code, answer.json()) == (missing.status_code, missing.json())
        assert (await http.get(f"/api/faqs?category={category}", headers=headers)).json() == {"faqs": []}
    services: Services = http.app.state.services  # type: ignore[attr-defined]
    gone = await http.get("/api/sections?id=없음", headers=headers)
    for section in services.searcher().sections:
        answer = await http.get("/api/sections", params={"id": section.id}, headers=headers)
        if section.visible_to(audiences_of(user)):
            assert answer.status_code == 200
        else:
            assert (answer.status_code, answer.json()) == (gone.status_code, gone.json())


@pytest.mark.parametrize("who", ["anonymous", "user", "owner"])
async def test_answers_are_those_of_a_company_that_knows_no_more(
    http: httpx.AsyncClient, tmp_path: Path, make_settings: Any, client: Client, who: str
) -> None:
    """Without the hidden documents every answer is the same to the last digit: not even a confidence tells of them."""
    asker = asker_of(PEOPLE[who])
    asked = questions()[::10]

    async def answers(services: Services) -> list[Answer]:
        given = [await services.ask.ask(AskRequest(question, None, None, asker)) for question in asked]
        return [replace(one, question_id="", conversation_id="", response_time=0, mode="extractive") for one in given]

    services: Services = http.app.state.services  # type: ignore[attr-defined]
    with_hidden = await answers(services)
    kept = [section for section in services.searcher().sections if section.visible_to(asker.audiences)]
    assert len(kept) < len(services.searcher().sections)
    names = {section.document for section in services.searcher().sections} - {section.document for section in kept}
    for name in names:
        (tmp_path / "docs" / name).unlink(missing_ok=True)
    faqs = [faq(100 + number, audience) for number, audience in enumerate(PLANTED)]
    ids = {section.id for section in kept}
    kept_faqs = [one for one in faqs if f"faq:{one['id']}" in ids]
    (tmp_path / "faq.json").write_text(json.dumps({"faqs": kept_faqs}), encoding="utf-8")
    async with client(database_url=f"sqlite:///{tmp_path}/second.db") as other:
        without = await answers(other.app.state.services)  # type: ignore[attr-defined]
        assert len(other.app.state.services.searcher().sections) == len(kept)  # type: ignore[attr-defined]
    assert with_hidden == without


async def test_one_owner_reads_no_feedback_about_anothers(http: httpx.AsyncClient) -> None:
    """Questions and comments about what somebody does not own stay out of their lists and counts."""
    services: Services = http.app.state.services  # type: ignore[attr-defined]
    for who, word in (("admin", "저어새합병건"), ("user", "까막딱다구리망")):
        asker = asker_of(PEOPLE[who])
        answer = await services.ask.ask(AskRequest(f"{word} 기준 알려줘", None, None, asker))
        await services.feedback.rate(answer.question_id, asker.key, False, f"{word} 틀렸어요")
    owner = PEOPLE["owner"]
    assert owner is not None
    headers = await sign_in(http, owner.employee_id, owner.name)
    names = ("detailed", "negative", "export")
    lists = [(await http.get(f"/api/feedback/{name}", headers=headers)).text for name in names]
    for text in lists:
        assert "저어새합병건" not in text
        assert "까막딱다구리망" in text
    stats = (await http.get("/api/feedback/stats", headers=headers)).json()["stats"]
    assert (stats["total"], list(stats["by_category"])) == (1, ["IT기밀"])


def test_everybody_is_an_asker_of_their_own() -> None:
    """Rows are kept by employee number; nobody's key is another's."""
    keys = [asker_of(user).key for user in PEOPLE.values()]
    assert len(set(keys)) == len(keys)
    assert asker_of(None) == Asker("anonymous", frozenset())
