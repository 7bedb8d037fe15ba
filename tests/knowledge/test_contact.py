"""The contact line of a section."""

import pytest

from endy.knowledge.contact import Contact, find_contact
from endy.knowledge.readers.markdown import read_markdown


@pytest.mark.parametrize(
    ("text", "department", "contact"),
    [
        ("문의: 총무팀 (내선 3300)", "총무팀", "내선 3300"),
        ("자세히 적어요. 문의: P&C팀 (내선 3100)", "P&C팀", "내선 3100"),
        ("문의: 재무팀 출장 담당 (travel@encar.example)", "재무팀 출장 담당", "travel@encar.example"),
        ("**문의**: 총무팀(내선 3300)", "총무팀", "내선 3300"),
        ("> 문의: 총무팀 (내선 3300)", "총무팀", "내선 3300"),
        ("- 담당: IT팀 (내선 3200)", "IT팀", "내선 3200"),
        ("담당: IT팀, 내선 3200", "IT팀", "내선 3200"),
        ("문의처: it-help@encar.example", "", "it-help@encar.example"),
        ("문의: 내선 3300", "", "내선 3300"),
        ("담당: 법무팀", "법무팀", ""),
        ("문의: 총무팀 (내선 3300)\n\n문의: IT팀 (내선 3200)", "IT팀", "내선 3200"),
    ],
)
def test_contact_lines(text: str, department: str, contact: str) -> None:
    """Every form that people use; the last line wins."""
    assert find_contact(text) == Contact(department, contact)


@pytest.mark.parametrize(
    "text",
    [
        "아무 말",
        "예약 문의: 총무팀 (내선 3300)",
        "담당: 팀장 (승인 뒤 처리)",
        "담당자에게 문의하세요",
        "| 담당 | 총무팀 |",
        "문의:",
    ],
)
def test_what_is_no_contact_line(text: str) -> None:
    """Longer labels, steps and tables do not rename the owner of a section."""
    assert find_contact(text) is None


def test_it_overrides_the_front_matter_for_its_section_only() -> None:
    """A line without an extension does not keep the extension of another department."""
    head = "---\ndepartment: P&C팀\ncontact: 내선 3100\n---\n# 문서\n"
    text = f"{head}## 가\n글. 문의: 총무팀 (내선 3300)\n## 나\n글\n## 다\n담당: 법무팀\n"
    found = [(section.department, section.contact) for section in read_markdown("guide.md", text.encode()).sections]
    assert found == [("총무팀", "내선 3300"), ("P&C팀", "내선 3100"), ("법무팀", "")]
