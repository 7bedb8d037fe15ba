"""The contact line of a section: `문의: 총무팀 (내선 3300)`."""

import re
from dataclasses import dataclass

_LABEL = r"(?:^|(?<=[.!?。]\s)|(?<=^>\s)|(?<=^[-*]\s))\**(?P<label>문의처|문의|담당 ?부서|담당자|담당)\**\s*[::]\**\s*"
_REACH = r"내선 ?\d{3,5}|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|0\d{1,2}-\d{3,4}-\d{4}"
_WITH_BRACKETS = re.compile(rf"{_LABEL}(?P<who>[^()\n|.::]{{1,40}}?)\s?\((?P<how>[^()\n]{{2,120}})\)", re.MULTILINE)
_WITHOUT_BRACKETS = re.compile(rf"{_LABEL}(?P<who>[^()\n|.::]{{0,40}}?)[ ,]{{0,2}}(?P<how>{_REACH})", re.MULTILINE)
_NAME_ONLY = re.compile(rf"{_LABEL}(?P<who>[^()\n|.,::]{{1,30}}?(?:팀|실|본부|센터|담당))\**\.?$", re.MULTILINE)
_LOOKS_REACHABLE = re.compile(rf"{_REACH}|[#@]|https?://|\d{{3}}")


@dataclass(frozen=True, slots=True)
class Contact:
    """`department` is empty when the line names only a way to reach somebody."""

    department: str
    contact: str


def find_contact(text: str) -> Contact | None:
    """The last contact line of the text; labels inside a longer phrase ("예약 문의:") do not count."""
    found: list[tuple[int, Contact]] = []
    for pattern in (_WITH_BRACKETS, _WITHOUT_BRACKETS, _NAME_ONLY):
        for match in pattern.finditer(text):
            groups = match.groupdict()
            contact = Contact(groups["who"].strip(" *,"), groups.get("how", "").strip())
            if _believable(groups["label"], contact):
                found.append((match.start(), contact))
    return max(found, key=lambda item: item[0])[1] if found else None


def _believable(label: str, contact: Contact) -> bool:
    # "담당: 팀장 (승인 뒤 처리)" tells who does a step, not whom to ask.
    return label.startswith("문의") or not contact.contact or bool(_LOOKS_REACHABLE.search(contact.contact))
