"""Front matter: what owners may write, and the line of what they got wrong."""

from datetime import date

import pytest

from endy.knowledge.readers.front_matter import Head, read_head


def head(yaml: str) -> Head:
    return read_head("guide.md", ["---", *yaml.split("\n"), "---", "# 문서"])


def complaint(yaml: str) -> tuple[int | None, str, str]:
    (problem,) = head(yaml).problems
    return problem.line, problem.severity, problem.message


def test_every_key_is_read() -> None:
    """All documented keys, with lists or commas, and dates as people write them."""
    found = head(
        "title: 휴가 안내\ncategory: HR\ndepartment: P&C팀\ncontact: 내선 3100\naudience: [재무팀, 관리자]\n"
        "effective_from: 2026-01-01\nreview_by: 2027.3.1\nlink: https://on.encar.example/guide\n"
        "keywords: 휴가, 연차 ,, 연차"
    )
    matter = found.front_matter
    assert not found.problems
    assert found.length == 11
    assert (matter.title, matter.category, matter.department, matter.contact) == (
        "휴가 안내",
        "HR",
        "P&C팀",
        "내선 3100",
    )
    assert matter.audience == {"재무팀", "admin"}
    assert (matter.effective_from, matter.review_by) == (date(2026, 1, 1), date(2027, 3, 1))
    assert (matter.link, matter.keywords) == ("https://on.encar.example/guide", ("휴가", "연차"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [("전체", "everyone"), ("everyone", "everyone"), ("Everyone", "everyone"), ("관리자", "admin"), ("IT팀", "IT팀")],
)
def test_audience_has_korean_names(written: str, meant: str) -> None:
    """Owners write it in their own language."""
    assert head(f"audience: {written}").front_matter.audience == {meant}


def test_nothing_and_empty_values_are_fine() -> None:
    """No head, an empty head, and keys without a value."""
    assert read_head("guide.md", ["# 문서"]).length == 0
    assert head("").problems == ()
    assert head("contact:\nlink: ''\nkeywords: []").problems == ()


def test_an_unknown_key_is_reported_and_kept_out() -> None:
    """A slip such as `departmnet` names the keys that exist."""
    line, severity, message = complaint("category: HR\ndepartmnet: 총무팀")
    assert (line, severity) == (3, "warning")
    assert "department" in message


@pytest.mark.parametrize(
    ("yaml", "line"),
    [
        ("title: 가\neffective_from: 2026-02-30", 3),
        ("review_by: 내년", 2),
        ("audience:", 2),
        ("audience: []", 2),
        ("audience: {a: b}", 2),
        ("link: javascript:alert(1)", 2),
        ("category: HR\ncategory: IT", 3),
        ("title: [가, 나]", 2),
        (f"department: {'가' * 300}", 2),
        ('title: "\\ud800"', 2),
        ('title: "\\0"', 2),
        ("title: 가\n\tcontact: 나", 3),
        ("title: '닫히지 않음", 2),
        ("그냥 글", 2),
        ("- 목록", 2),
        ("title: &a 가\ncontact: *a", 3),
    ],
)
def test_what_cannot_be_read_is_refused_by_line(yaml: str, line: int) -> None:
    """Wrong dates, broken YAML, aliases, unusable links and audiences: an error with its line."""
    found_line, severity, message = complaint(yaml)
    assert severity == "error"
    assert found_line in (line, line + 1)
    assert message.endswith((".", "요"))


def test_an_unclosed_head_is_refused() -> None:
    """Without the second `---` nobody knows where the text begins."""
    (problem,) = read_head("guide.md", ["---", "title: 가", "# 문서"]).problems
    assert (problem.line, problem.severity) == (1, "error")


def test_deep_nesting_does_not_exhaust_the_stack() -> None:
    """Ten thousand brackets are refused like any other broken head."""
    assert complaint("title: " + "[" * 10_000)[1] == "error"


def test_a_head_of_a_later_dash_line_is_no_head() -> None:
    """Only the first line opens front matter."""
    assert read_head("guide.md", ["", "---", "title: 가", "---"]).length == 0
