"""Scores of a run, and the files it reads."""

from pathlib import Path

import pytest

from endy.errors import StartupError
from endy.evaluation.questions import EvalQuestion, load_corpus, load_questions
from endy.evaluation.report import coverage_chart, scores_table
from endy.evaluation.scores import Outcome, as_report, calibration_error, coverage_curve, score


def outcome(rank: int | None, *, answerable: bool = True, refused: bool = False, confidence: float = 0.9) -> Outcome:
    question = EvalQuestion("1", "질문", ("a",) if answerable else (), (("5일",),) if answerable else (), "casual", ())
    status = "no_answer" if refused else "answered"
    return Outcome(question, rank, ("a",), status, confidence, not refused and rank == 0, 0.01, "")


def test_each_share_counts_what_its_name_says() -> None:
    """Two right of four first, three of four among three; refusals are counted on both sides."""
    run = [
        outcome(0),
        outcome(0, refused=True),
        outcome(2),
        outcome(None),
        outcome(None, answerable=False, refused=True),
    ]
    scores = score(run)
    assert (scores.top1, scores.recall3, scores.facts) == (0.5, 0.75, 0.25)
    assert (scores.refused, scores.wrongly_refused) == (1.0, 0.25)
    assert scores.mrr == pytest.approx((1 + 1 + 1 / 3) / 4)


def test_a_perfectly_calibrated_run_has_no_error() -> None:
    """Confidence 1 when right and 0 when wrong is calibrated; the reverse is as wrong as can be."""
    assert calibration_error([outcome(0, confidence=1.0), outcome(3, confidence=0.0)]) == 0
    assert calibration_error([outcome(0, confidence=0.0), outcome(3, confidence=1.0)]) == 1


def test_the_curve_answers_the_surest_first() -> None:
    """At half coverage only the sure, right answers are given."""
    curve = coverage_curve([outcome(0, confidence=0.9), outcome(4, confidence=0.1)], points=2)
    assert [(point.coverage, point.correct) for point in curve] == [(0.5, 1.0), (1.0, 0.5)]
    assert coverage_chart(curve).startswith("<svg")


def test_a_report_lists_every_miss_and_a_table_has_a_row_per_kind() -> None:
    """What went wrong can be read afterwards."""
    run = [outcome(0), outcome(1)]
    assert [miss["rank"] for miss in as_report(run)["misses"]] == [1]
    assert scores_table(run, "표").row_count == 2


def test_no_questions_at_all_is_not_a_crash() -> None:
    """An empty set has no shares."""
    assert score([]).top1 is None


@pytest.mark.parametrize(("line", "says"), [("{", "JSON"), ('{"question": "질문"}', "relevant"), ("[]", "relevant")])
def test_a_broken_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    """The error names file and line."""
    path = tmp_path / "q.jsonl"
    path.write_text(f'{{"question": "하나", "relevant": []}}\n{line}\n', encoding="utf-8")
    with pytest.raises(StartupError, match=f"2행.*{says}"):
        load_questions(path)


def test_a_corpus_is_read_as_sections(tmp_path: Path) -> None:
    """Each line is one section with its id."""
    path = tmp_path / "c.jsonl"
    path.write_text('{"id": "p1", "title": "제목", "text": "본문이에요."}\n', encoding="utf-8")
    (found,) = load_corpus(path)
    assert (found.id, found.title) == ("p1", "제목")
