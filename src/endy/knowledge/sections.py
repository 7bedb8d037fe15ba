"""Sections as knowledge makes them: ids that never collide and hashes that notice every change."""

import json
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from endy.retrieval.section import Section

MAX_ID = 1000


def with_hash(section: Section) -> Section:
    """The section with `content_hash` over everything that is searched or shown, apart from where it stands."""
    told = [
        section.kind,
        section.document_title,
        section.heading_path,
        section.title,
        section.text,
        section.category,
        section.department,
        section.contact,
        section.link,
        section.keywords,
        sorted(section.audience),
        str(section.effective_from),
        str(section.review_by),
    ]
    return replace(section, content_hash=sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest())


def embedded_words(section: Section) -> tuple[object, ...]:
    """What the section's vectors depend on; equal words may share them."""
    return (section.kind, section.heading_path, section.title, section.text, section.keywords)


def unique_id(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or with ` (2)`, ` (3)` … appended when it is taken; never longer than the database allows."""
    used = taken if isinstance(taken, set | dict) else set(taken)
    wanted = wanted[: MAX_ID - 10]
    candidate, number = wanted, 1
    while candidate in used:
        number += 1
        candidate = f"{wanted} ({number})"
    return candidate
