"""Put an answer together from what was found and what was decided."""

from collections.abc import Sequence
from dataclasses import replace

from endy.ask import wording
from endy.ask.context import SOURCES as READ_SOURCES
from endy.ask.decision import Verdict
from endy.ask.extract import extract
from endy.ask.models import Answer, Choice, Source
from endy.ask.render import to_html
from endy.ask.writer import Written
from endy.retrieval.passages import plain
from endy.retrieval.search import Hit, SearchResult
from endy.retrieval.section import Section

SOURCES = 5
RELATED = 5
CHOICES = 4


def compose(question: str, result: SearchResult, probability: float, verdict: Verdict) -> Answer:
    """The answer without ids and times, which the service fills in."""
    korean = wording.is_korean(result.repaired or question)
    sources = tuple(_source(number, hit, result) for number, hit in enumerate(result.hits[:SOURCES], start=1))
    if verdict == "answered":
        text = _answered(result, korean)
    elif verdict == "clarify":
        text = wording.clarify(korean)
    else:
        text = _refused(result, korean)
    first = result.hits[0].section if result.hits else None
    return Answer(
        answer=text,
        answer_html=to_html(text),
        status=verdict,
        mode="extractive",
        question_id="",
        conversation_id="",
        category=first.category if first else "",
        department=first.department if first else "",
        contact=first.contact if first else "",
        link=first.link if first and verdict == "answered" else "",
        confidence_score=round(probability, 3),
        sources=sources if verdict != "no_answer" else (),
        related_questions=_related(result, verdict, korean),
        response_time=0.0,
        choices=_choices(result, korean) if verdict == "clarify" else (),
        understood=result.repaired if result.repaired.split() != question.split() else "",
    )


def begun(extractive: Answer, result: SearchResult) -> Answer:
    """What is known before the model has written a word: every source that it may cite, under its number."""
    sources = tuple(_source(number, hit, result) for number, hit in enumerate(result.hits[:READ_SOURCES], start=1))
    return replace(
        extractive, answer="", answer_html="", status="answered", mode="llm", sources=sources, choices=(), link=""
    )


def finished(extractive: Answer, result: SearchResult, written: Written, korean: bool) -> Answer:
    """The answer as the model's writing ended; the extractive one wherever that is no answer."""
    if written.outcome == "written":
        return _written(extractive, result, written)
    if written.outcome == "no_answer":
        text = _refused(result, korean)
        related = _related(result, "no_answer", korean)
        return replace(
            extractive, answer=text, answer_html=to_html(text), status="no_answer", mode="llm", sources=(), link="",
            related_questions=related,
        )  # fmt: skip
    away = written.outcome == "unavailable" and extractive.status == "answered"
    return replace(extractive, notice=wording.model_away(korean)) if away else extractive


def _written(extractive: Answer, result: SearchResult, written: Written) -> Answer:
    first = result.hits[written.cited[0] - 1].section
    return replace(
        extractive,
        answer=written.text,
        answer_html=to_html(written.text),
        status="answered",
        mode="llm",
        category=first.category,
        department=first.department,
        contact=first.contact,
        link=first.link,
        sources=_cited_first(result, written.cited),
        related_questions=_related_beside(result, written.cited, wording.is_korean(written.text)),
        choices=(),
    )


def _cited_first(result: SearchResult, cited: Sequence[int]) -> tuple[Source, ...]:
    """Every cited source, then the best others up to SOURCES, each under the number that the text cites."""
    others = [number for number in range(1, len(result.hits) + 1) if number not in cited]
    numbers = [*cited, *others[: max(0, SOURCES - len(cited))]]
    return tuple(_source(number, result.hits[number - 1], result) for number in numbers)


def _related_beside(result: SearchResult, cited: Sequence[int], korean: bool) -> tuple[str, ...]:
    hits = [hit for number, hit in enumerate(result.hits, start=1) if number not in cited]
    return _questions_about(hits, korean)


def _answered(result: SearchResult, korean: bool) -> str:
    hit = result.hits[0]
    section = hit.section
    body = extract(result.query.text, hit).markdown
    if section.kind == "faq" and korean:
        return body
    return f"{wording.lead(plain(section.title), korean)}\n\n{body}"


def _refused(result: SearchResult, korean: bool) -> str:
    section = result.hits[0].section if result.hits else None
    return wording.no_answer(section.department if section else "", section.contact if section else "", korean)


def _source(number: int, hit: Hit, result: SearchResult) -> Source:
    section = hit.section
    return Source(
        id=section.id,
        number=number,
        title=plain(section.title),
        heading_path=section.heading_path,
        document=section.document,
        link=section.link,
        passage=extract(result.query.text, hit).best,
        updated_at=section.updated_at,
        score=round(hit.score, 4),
    )


def _related(result: SearchResult, verdict: Verdict, korean: bool) -> tuple[str, ...]:
    return _questions_about(result.hits[0 if verdict == "no_answer" else 1 :], korean)


def _questions_about(hits: Sequence[Hit], korean: bool) -> tuple[str, ...]:
    titles = dict.fromkeys(plain(hit.section.title) for hit in hits[:RELATED])
    return tuple(wording.about(title, korean) for title in titles)


def _choices(result: SearchResult, korean: bool) -> tuple[Choice, ...]:
    return tuple(
        Choice(plain(hit.section.title), wording.about(_name(hit.section), korean), hit.section.id)
        for hit in result.hits[:CHOICES]
    )


def _name(section: Section) -> str:
    """The title, with the heading above it where that says more."""
    *above, title = section.heading_path[-2:] or (section.title,)
    return title if not above or above[0] in title else f"{above[0]} {title}"
