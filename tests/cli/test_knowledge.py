"""`endy knowledge`, run as a process as an operator runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.llm.characters import Prompted, saying
from tests.llm.scripted import scripted_server

DOCUMENT = "---\ncategory: HR\ndepartment: P&C팀\n---\n# 휴가 안내\n## 휴가\n### 연차\n연차는 15일이에요.\n"
FAQ = {"id": 1, "category": "IT", "question": "메일이 안 와요", "main_answer": "다시 켜 보세요.", "department": "IT팀"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md").write_text(DOCUMENT)
    (tmp_path / "faq.json").write_text(json.dumps({"faqs": [FAQ]}))
    return tmp_path


def endy(place: Path, *arguments: str, typed: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    given = {
        "DATABASE_URL": f"sqlite:///{place}/endy.db",
        "KNOWLEDGE_DIR": str(place / "docs"),
        "FAQ_FILE": str(place / "faq.json"),
        "EMBEDDINGS": "none",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "endy", *arguments],
        env=given | environment, cwd=place, capture_output=True, text=True, timeout=120, check=False, input=typed,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_sync_brings_content_in_and_list_shows_it(place: Path) -> None:
    """Counts after the sync; each section with its document, category and department."""
    done = endy(place, "knowledge", "sync")
    assert (done.returncode, done.stderr) == (0, "")
    assert "추가 2" in done.stdout
    shown = endy(place, "knowledge", "list").stdout
    for word in ("leave.md", "연차", "HR", "P&C팀", "faq.json", "IT팀"):
        assert word in shown
    listed = json.loads(endy(place, "knowledge", "list", "--json").stdout)
    assert listed["version"] == 1
    assert {section["id"] for section in listed["sections"]} == {"leave.md#휴가 > 연차", "faq:1"}


def test_sync_reports_problems_beside_its_result(place: Path) -> None:
    """Problems go to standard error, the JSON stays clean."""
    (place / "docs" / "broken.md").write_text("")
    done = endy(place, "knowledge", "sync", "--json")
    report = json.loads(done.stdout)
    assert (report["added"], report["version"]) == (2, 1)
    assert report["problems"][0]["document"] == "broken.md"
    assert "broken.md: 오류: " in endy(place, "knowledge", "sync").stderr


def test_the_first_sync_embeds_with_the_real_model(place: Path) -> None:
    """With local embeddings, the default, every section gets its vectors."""
    report = json.loads(endy(place, "knowledge", "sync", "--json", EMBEDDINGS="local").stdout)
    assert (report["added"], report["unembedded"], report["problems"]) == (2, 0, [])


def test_check_names_file_and_line_and_changes_nothing(place: Path) -> None:
    """Errors end with 1, warnings with 0; no database is made."""
    assert endy(place, "knowledge", "check").returncode == 0
    (place / "docs" / "broken.md").write_text("---\nreview_by: 언젠가\n---\n# 가\n## 나\n글\n")
    done = endy(place, "knowledge", "check")
    assert done.returncode == 1
    assert "broken.md:2: 오류: " in done.stderr
    problems = json.loads(endy(place, "knowledge", "check", "--json").stdout)["problems"]
    assert [(problem["document"], problem["line"]) for problem in problems] == [("broken.md", 2)]
    assert not (place / "endy.db").exists()


def test_an_empty_list_says_what_to_do(place: Path) -> None:
    """Before the first sync."""
    assert "endy knowledge sync" in endy(place, "knowledge", "list").stdout


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"DATABASE_URL": "mysql://db/endy"}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:////proc/endy.db"}, "DATABASE_URL"),
        ({"KNOWLEDGE_DIR": "/nowhere", "FAQ_FILE": "/nowhere.json"}, "KNOWLEDGE_DIR"),
        ({"PORT": "many"}, "PORT"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_code_2(place: Path, environment: dict[str, str], name: str) -> None:
    """No traceback, nothing on standard output."""
    done = endy(place, "knowledge", "sync", **environment)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(name)


def test_help_and_unknown_commands(place: Path) -> None:
    """Every command is listed; a slip is refused."""
    shown = endy(place, "knowledge", "--help")
    assert shown.returncode == 0
    for name in ("sync", "list", "check"):
        assert name in shown.stdout
    assert endy(place, "knowledge", "snyc").returncode == 2


def test_questions_are_written_once_and_shown_with_their_reasons(place: Path) -> None:
    """What was kept, what was thrown away and why; without a model it says what to set, and nothing is lost."""

    def write(_prompted: Prompted) -> str:
        return "연차 며칠 줘?\n연차 99일 줘?"

    with scripted_server() as server:
        server.play(saying(write))
        model = {"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": server.url, "LLM_RETRIES": "0"}
        done = endy(place, "knowledge", "enrich", **model)
        assert done.returncode == 0
        assert "섹션 2개" in done.stdout
        assert "섹션 0개" in endy(place, "knowledge", "enrich", **model).stdout
        assert len(server.seen) == 2
    shown = endy(place, "knowledge", "questions", "연차").stdout
    assert "LLM이 만듦" in shown
    assert "+ 연차 며칠 줘?" in shown
    assert "- 연차 99일 줘? (자료에 없는 것을 말함)" in shown
    (place / "docs" / "new.md").write_text(DOCUMENT.replace("연차", "병가"))
    endy(place, "knowledge", "sync")
    without = endy(place, "knowledge", "enrich")
    assert without.returncode == 1
    assert "OPENAI_API_KEY" in without.stderr
