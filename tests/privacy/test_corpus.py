"""Masking measured on lines as colleagues and programs write them, all invented."""

import re
from pathlib import Path

from endy.privacy.findings import Kind
from endy.privacy.masking import find

CORPUS = Path(__file__).parent / "corpus"
LABEL = re.compile("|".join(re.escape(kind.label) for kind in Kind))

Span = tuple[int, int, Kind]


def lines(name: str) -> list[str]:
    return (CORPUS / name).read_text(encoding="utf-8").splitlines()


def expected(text: str, masked: str) -> list[Span]:
    """Where the labels of the masked line stand in the other."""
    spans, place, behind = [], 0, 0
    pattern = "(.+?)".join(re.escape(part) for part in LABEL.split(masked))
    match = re.fullmatch(pattern, text)
    assert match, f"the two columns differ outside of labels: {text}"
    for number, label in enumerate(LABEL.finditer(masked), 1):
        place, behind = match.span(number)
        spans.append((place, behind, Kind(label.group()[1:-1])))
    return spans


def positive() -> list[tuple[str, list[Span]]]:
    pairs = [line.split("\t") for line in lines("positive.tsv")]
    return [(text, expected(text, masked)) for text, masked in pairs]


def negative() -> list[tuple[str, list[Span]]]:
    return [(text, []) for text in lines("negative.tsv")]


def test_the_corpus_is_large_and_every_line_is_another() -> None:
    """At least 320 lines with and 320 without personal data, and every kind at least a dozen times."""
    for texts in ([text for text, _ in positive()], [text for text, _ in negative()]):
        assert len(texts) == len(set(texts)) >= 320
    kinds = [kind for _, spans in positive() for _, _, kind in spans]
    assert all(kinds.count(kind) >= 12 for kind in Kind), {kind: kinds.count(kind) for kind in Kind}


def test_nearly_everything_personal_is_found() -> None:
    """Recall of at least 0.99: the same place, whole, under the right name."""
    missed = [(text, span) for text, spans in positive() for span in spans if span not in map(tuple, find(text))]
    total = sum(len(spans) for _, spans in positive())
    assert len(missed) <= 0.01 * total, "\n".join(map(str, missed))


def test_nearly_nothing_else_is_found() -> None:
    """Precision of at least 0.98 over all lines, with and without personal data."""
    found = [(text, tuple(one), spans) for text, spans in positive() + negative() for one in find(text)]
    wrong = [(text, one) for text, one, spans in found if one not in spans]
    assert len(wrong) <= 0.02 * len(found), "\n".join(map(str, wrong))


def test_what_is_not_personal_is_left_alone() -> None:
    """Precision counts findings and forgives much where lines are many: at most 1 in 100 harmless lines is touched."""
    touched = [text for text, _ in negative() if find(text)]
    assert len(touched) <= 0.01 * len(negative()), "\n".join(touched)
