"""A run as a table for people and as an SVG chart of coverage against correctness."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from endy.evaluation.scores import CoveragePoint, Outcome, Scores, by_kind, score

_OUTCOMES = {
    "written": "LLM이 답함",
    "no_answer": "LLM이 답이 없다고 함",
    "withheld": "LLM에 보내지 않음",
    "unsupported": "근거가 없어 버림",
    "unavailable": "LLM이 답하지 못함",
}
_WRITTEN_SHARES = {
    "correct": "맞는 출처로 답함",
    "facts": "사실이 들어 있음",
    "refused": "답 없는 질문을 거절함",
    "grounded": "근거가 있는 문장",
    "citation_precision": "맞는 인용",
}

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 520, 300, 48, 36


def scores_table(outcomes: Sequence[Outcome], title: str) -> Table:
    """One row per kind and one for all."""
    table = Table(title=title, box=SIMPLE, padding=(0, 1, 0, 0))
    for name in ("종류", "문항", "첫째", "3위 안", "10위 안", "MRR", "사실", "거절", "잘못 거절", "중앙값", "p95"):
        table.add_column(name, justify="left" if name == "종류" else "right", no_wrap=True, overflow="ignore")
    for kind, scores in sorted(by_kind(outcomes).items()):
        table.add_row(kind, *_cells(scores))
    table.add_section()
    table.add_row("전체", *_cells(score(outcomes)))
    return table


def _cells(scores: Scores) -> list[str]:
    shares = (scores.top1, scores.recall3, scores.recall10, scores.mrr, scores.facts, scores.refused)
    return [
        str(scores.questions),
        *("·" if share is None else f"{share:.3f}" for share in (*shares, scores.wrongly_refused)),
        f"{scores.median_seconds * 1000:.0f} ms",
        f"{scores.p95_seconds * 1000:.0f} ms",
    ]


def written_table(report: Mapping[str, Any], title: str) -> Table:
    """The figures of `written_report`, one a row."""
    table = Table(title=title, box=SIMPLE, show_header=False)
    for name, value in _written_rows(report):
        table.add_row(name, value)
    return table


def _written_rows(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "문항", str(report["questions"])
    for outcome, count in sorted(report["outcomes"].items()):
        yield f"  {_OUTCOMES[outcome]}", str(count)
    for reason, count in sorted(report["unavailable"].items()):
        yield f"    {reason}", str(count)
    for key, name in _WRITTEN_SHARES.items():
        yield name, "·" if report[key] is None else f"{report[key]:.3f}"
    for key, name in (("first_shown_seconds", "첫 문장까지"), ("seconds", "끝까지")):
        spread = report[key]
        yield name, "·" if spread is None else f"중앙값 {spread['median']:.2f}초 · p95 {spread['p95']:.2f}초"
    yield "토큰 (한 답)", f"입력 {report['tokens_in'] or 0:.0f} · 출력 {report['tokens_out'] or 0:.0f}"
    yield "비용 (한 답)", f"{report['cost_krw'] or 0:.2f}원"


def coverage_chart(curve: Sequence[CoveragePoint]) -> str:
    """An SVG with coverage on x and the share of right answers on y, both 0-1 from zero."""
    plot_width, plot_height = _WIDTH - _LEFT - 16, _HEIGHT - _BOTTOM - 32
    points = " ".join(
        f"{_LEFT + point.coverage * plot_width:.1f},{32 + (1 - point.correct) * plot_height:.1f}" for point in curve
    )
    grid = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDTH - 16}" y1="{32 + (1 - tick) * plot_height:.1f}" '
        f'y2="{32 + (1 - tick) * plot_height:.1f}" stroke="#ddd"/>'
        f'<text x="{_LEFT - 8}" y="{36 + (1 - tick) * plot_height:.1f}" text-anchor="end">{tick:.2f}</text>'
        f'<text x="{_LEFT + tick * plot_width:.1f}" y="{_HEIGHT - 18}" text-anchor="middle">{tick:.2f}</text>'
        for tick in (0, 0.25, 0.5, 0.75, 1)
    )
    half = next((point.correct for point in curve if point.coverage >= 0.5), 0.0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="11"><text x="{_LEFT}" y="18" font-size="13">'
        f"확신이 높은 절반만 답하면 {half:.0%}가 맞아요</text>{grid}"
        f'<polyline points="{points}" fill="none" stroke="#d92929" stroke-width="2"/>'
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 4}" text-anchor="middle">답한 비율</text></svg>'
    )
