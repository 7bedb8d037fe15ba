"""`endy eval --llm`: what a model's answers are worth, for models of every character."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from endy.cli import app
from tests.llm import characters
from tests.llm.characters import saying
from tests.llm.scripted import Script, Scripted, endless, events, failing, honest, scripted_server

DOCUMENT = """---
department: P&C팀
---
# 안내
## 휴가
### 연차 이월
남은 연차는 다음 해로 5일까지 넘길 수 있어요. 12월 10일까지 신청해 주세요.
### 병가
아파서 쉴 때는 진단서를 14일 안에 올려 주세요.
"""
QUESTIONS = [
    {"question": "연차 이월 언제까지 신청해?", "relevant": ["a.md#휴가 > 연차 이월"], "must_include": [["12월 10일"]]},
    {"question": "아프면 진단서 며칠 안에 올려?", "relevant": ["a.md#휴가 > 병가"], "must_include": [["14일"]]},
    {"question": "구내식당 메뉴가 뭐야?", "relevant": []},
]


@pytest.fixture(scope="module")
def model() -> Iterator[Scripted]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def evaluate(tmp_path: Path, model: Scripted, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command as typed and returns its report."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(DOCUMENT, encoding="utf-8")
    questions = tmp_path / "questions.jsonl"
    questions.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in QUESTIONS), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": model.url, "EMBEDDINGS": "none", "LLM_RETRIES": "0",
        "LLM_PRICE_IN_KRW": "200", "LLM_FIRST_TOKEN_SECONDS": "0.5", "LLM_TOTAL_SECONDS": "2",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def run(script: Script) -> dict[str, Any]:
        model.play(script)
        done = CliRunner().invoke(app, ["eval", str(questions), "--docs", str(tmp_path / "docs"), "--llm", "--json"])
        assert done.exit_code == 0, done.output
        return dict(json.loads(done.output[done.output.index("{") :]))

    return run


def test_an_honest_model(evaluate: Any) -> None:
    """Grounded, rightly cited, with its cost and its time."""
    report = evaluate(saying(characters.faithful))
    assert (report["questions"], report["correct"], report["facts"], report["grounded"]) == (3, 1.0, 1.0, 1.0)
    assert report["citation_precision"] == 1.0
    assert report["tokens_in"] == 120
    assert report["cost_krw"] == pytest.approx(0.024)
    assert 0 < report["first_shown_seconds"]["median"] <= report["seconds"]["p95"]


def test_a_model_that_knows_when_to_be_silent(evaluate: Any) -> None:
    """Refusing everything is right for what nothing answers."""
    report = evaluate(saying(characters.unwilling))
    assert (report["outcomes"], report["refused"], report["correct"]) == ({"no_answer": 3}, 1.0, 0.0)


@pytest.mark.parametrize("character", ["inventing", "leaking", "miscited", "foreign"])
def test_dishonest_models(evaluate: Any, character: str) -> None:
    """Nothing of them counts as an answer, and the share that was grounded says why."""
    report = evaluate(saying(getattr(characters, character)))
    assert report["outcomes"].get("written", 0) == 0
    assert report["grounded"] is None or report["grounded"] < 1


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (failing(500), "down"),
        (honest(before=3.0), "slow"),
        (events("data: {not json\n\n"), "garbage"),
        (endless(), "garbage"),
    ],
    ids=["down", "slow", "garbage", "endless"],
)
def test_models_in_trouble(evaluate: Any, script: Script, reason: str) -> None:
    """They are counted by what is wrong with them."""
    report = evaluate(script)
    assert report["outcomes"] == {"unavailable": 3}
    assert reason in report["unavailable"]


def test_without_a_key_it_says_what_to_do(evaluate: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One clear line."""
    monkeypatch.delenv("OPENAI_API_KEY")
    done = CliRunner().invoke(
        app, ["eval", str(tmp_path / "questions.jsonl"), "--docs", str(tmp_path / "docs"), "--llm"]
    )
    assert done.exit_code != 0
    assert "OPENAI_API_KEY" in f"{done.output}{done.exception}"
