"""Put an answer together from what was found and what was decided."""

from endy.ask import wording
from endy.ask.decision import Verdict
from endy.ask.extract import extract
from endy.ask.models import Answer, Choice, Source
from endy.ask.render import to_html
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
    start = 0 if verdict == "no_answer" else 1
    titles = dict.fromkeys(plain(hit.section.title) for hit in result.hits[start : start + RELATED])
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
