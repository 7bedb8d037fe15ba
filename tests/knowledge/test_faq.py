"""The FAQ file: entries to sections, one wrong entry at a time."""

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endy.knowledge.faq import read_faq
from endy.knowledge.readers.parsed import ParsedDocument
from tests.knowledge.conftest import faq


def read(*entries: object) -> ParsedDocument:
    return read_faq("faq.json", json.dumps({"faqs": entries}).encode())


def test_an_entry_becomes_a_section() -> None:
    """All fields arrive where search and answers look for them."""
    entry = faq(
        101, link="https://on.encar.example/x", audience=["재무팀"], review_by="2027-01-31", contact="내선 3100"
    )
    (section,) = read(entry).sections
    assert (section.id, section.kind, section.document) == ("faq:101", "faq", "faq.json")
    assert (section.title, section.text) == ("질문 101번은 무엇인가요?", "답 101이에요.")
    assert (section.category, section.heading_path) == ("HR", ("HR",))
    assert (section.department, section.contact, section.keywords) == ("P&C팀", "내선 3100", ("낱말",))
    assert (section.audience, section.review_by) == ({"재무팀"}, date(2027, 1, 31))
    assert section.content_hash


def test_a_contact_line_in_the_answer_is_used_when_none_is_given() -> None:
    """The answer often says whom to call."""
    (section,) = read(faq(1, main_answer="이렇게 해요. 문의: 급여 담당 (내선 3110)")).sections
    assert (section.department, section.contact) == ("P&C팀", "내선 3110")


@pytest.mark.parametrize(
    "changes",
    [
        {"question": ""},
        {"question": None},
        {"main_answer": "  "},
        {"main_answer": ["글"]},
        {"category": {}},
        {"id": True},
        {"id": ""},
        {"id": [1]},
        {"review_by": "2026-13-01"},
        {"link": "javascript:alert(1)"},
        {"audience": []},
        {"audience": ""},
        {"keywords": 5},
        {"question": "가" * 501},
        {"main_answer": "\ud800"},
        {"question": "a\0b"},
    ],
)
def test_a_wrong_entry_is_left_out_and_named(changes: dict[str, object]) -> None:
    """The others are read; the report says which one and what to mend."""
    parsed = read(faq(1), faq(2, **changes), faq(3))
    assert [section.id for section in parsed.sections] == ["faq:1", "faq:3"]
    (problem,) = parsed.problems
    assert problem.message.startswith("2번째 항목")
    assert problem.severity == "error"
    assert not parsed.refused


@pytest.mark.parametrize("entry", [None, 5, "글", [], [[]]])
def test_an_entry_of_another_shape_is_left_out(entry: object) -> None:
    """Not even an object."""
    parsed = read(entry, faq(2))
    assert [section.id for section in parsed.sections] == ["faq:2"]
    assert parsed.problems[0].message.startswith("1번째 항목:")


def test_a_wrong_entry_keeps_its_last_good_version() -> None:
    """Its id is handed on, so that the stored answer stays."""
    assert read(faq(1), faq(2, question="")).kept_ids == {"faq:2"}


def test_a_repeated_id_is_reported_and_the_first_counts() -> None:
    """Also when one is a number and the other a text."""
    parsed = read(faq(1), faq(2), {**faq(1), "id": "1", "main_answer": "다른 답"})
    assert [section.text for section in parsed.sections] == ["답 1이에요.", "답 2이에요."]
    assert "3번째 항목(id 1)" in parsed.problems[0].message


def test_unknown_names_are_reported() -> None:
    """A slip such as `anwser` is pointed out and the entry kept."""
    parsed = read(faq(1, anwser="x"))
    assert len(parsed.sections) == 1
    assert "anwser" in parsed.problems[0].message


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'{"faqs": {}}', b'{"faq": []}', b"5", b"null", b"[" * 100_000, b"1" * 5000, b"\xff\xfe\xfd", b""],
)
def test_a_broken_file_is_refused_whole(content: bytes) -> None:
    """The last good FAQ goes on."""
    parsed = read_faq("faq.json", content)
    assert parsed.refused
    assert parsed.problems[0].severity == "error"


def test_a_broken_file_names_the_line() -> None:
    """A missing comma is found by its line."""
    content = '{"faqs": [\n{"id": 1}\n{"id": 2}\n]}'
    assert read_faq("faq.json", content.encode()).problems[0].line == 3


def test_an_empty_list_is_no_error() -> None:
    """Somebody may want to have none."""
    parsed = read()
    assert (parsed.refused, parsed.sections, parsed.problems) == (False, (), ())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
)
ENTRY = st.dictionaries(st.sampled_from([*faq(1), "contact", "audience", "review_by", "link", "x"]), JSON)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(JSON, ENTRY, ENTRY.map(lambda changes: faq(1) | changes)), max_size=4))
def test_no_entry_makes_the_reader_raise(entries: list[object]) -> None:
    """Whatever the JSON holds, there are sections with distinct ids, and reasons for the rest."""
    parsed = read(*entries)
    assert len({section.id for section in parsed.sections}) == len(parsed.sections)
    assert len(parsed.sections) + len([p for p in parsed.problems if p.severity == "error"]) == len(entries)
    "".join(section.id + section.title + section.text for section in parsed.sections).encode()
