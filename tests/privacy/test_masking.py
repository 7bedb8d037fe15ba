"""Masking: what is personal goes, and what is not stays exactly as it was typed."""

from itertools import pairwise
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endy.privacy.findings import Kind
from endy.privacy.masking import find, mask


@pytest.mark.parametrize(
    "text",
    [
        "010-1234-5678",
        "01012345678",
        "010 1234 5678",
        "010.1234.5678",
        "011-234-5678",
        "+82 10-1234-5678",
        "+82-(0)10-1234-5678",
        "82 10 1234 5678",
        "０１０－１２３４－５６７８",
        "010–1234–5678",
        "010\u20111234\u20115678",
        "010\u00a01234\u00a05678",
        "02-123-4567",
        "031) 123-4567",
    ],
)
def test_telephone_numbers(text: str) -> None:
    """However they are written: dots, spaces, country code, full width, typographic dashes."""
    assert mask(f"제 번호는 {text}이에요") == "제 번호는 [전화번호]이에요"


@pytest.mark.parametrize(
    "text",
    [
        "hong@encar.example",
        "hong.gildong+work@mail.encar.co.kr",
        "홍길동@encar.example",
        "hong＠encar．example",
        "hong%40encar.example",
    ],
)
def test_email_addresses(text: str) -> None:
    """Also in full width, with Korean names, and as they look in an address line."""
    masked = mask(f"보낸 사람 {text} 에게")
    assert masked == "보낸 사람 [이메일] 에게"


@pytest.mark.parametrize(
    "text",
    [
        "900101-1234567",
        "9001011234567",
        "900101 1234567",
        "900101 - 1234567",
        "900101–1234567",
        "９００１０１－１２３４５６７",
        "051231-4123456",
    ],
)
def test_resident_numbers(text: str) -> None:
    """With every kind of dash or none; of people born before and after 2000."""
    assert mask(f"주민번호 {text}.") == "주민번호 [주민등록번호]."


@pytest.mark.parametrize(
    "text",
    ["4111-1111-1111-1111", "4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444", "3782-822463-10005"],
)
def test_card_numbers(text: str) -> None:
    """Numbers that pass the card check, of four groups or three."""
    assert mask(f"카드 {text}로") == "카드 [카드번호]로"


@pytest.mark.parametrize("text", ["110-123-456789", "3333-01-1234567", "123456-04-123456", "1234-567-890123-12"])
def test_account_numbers(text: str) -> None:
    """As banks write them."""
    assert mask(f"계좌 {text} 입금") == "계좌 [계좌번호] 입금"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("제 사번은 2024001이에요", "제 사번은 [사번]이에요"),
        ("제 사번은 2024001.", "제 사번은 [사번]."),
        ("2024001, 2024003", "[사번], [사번]"),
        ("사번:2024001", "사번:[사번]"),
        ("사번-2024001", "사번-[사번]"),
        ("No.2024001", "No.[사번]"),
        ("2024001-박민수", "[사번]-박민수"),
        ("{'employee_id': '2024001'}", "{'employee_id': '[사번]'}"),
        ("/api/users/2024001/role", "/api/users/[사번]/role"),
        ("사번２０２４００１", "사번[사번]"),
    ],
)
def test_employee_numbers(text: str, masked: str) -> None:
    """Wherever they stand in a sentence, a list, an address or a dictionary."""
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "연차는 15일이고 12월 10일까지예요",
        "2024-01-15에 입사해서 2025.03.01에 복직했어요",
        "2024년 1월 15일 14:30",
        "20240115",
        "2000000원, 2,000,000원, 2000000 원",
        "2010000km 달린 차",
        "내선 3100, 1층 101호",
        "https://on.encar.example/parking?page=2",
        "버전 2.1.0, 3.11.7",
        "192.168.10.21:8000",
        "12주 2026년, 제12조 3456항",
        "1600-1800 사이",
        "@all 확인 부탁해요",
        "3 @ 5",
        "0.2024001",
    ],
)
def test_what_is_not_personal_stays(text: str) -> None:
    """Dates, money, extensions, versions, addresses and a company's own short numbers are what answers are made of."""
    assert mask(text) == text


def test_several_in_one_text() -> None:
    """Each gets its own label, and the words between them stay."""
    text = "홍길동(2024001, 010-1234-5678, hong@encar.example) 주민번호 900101-1234567 계좌 110-123-456789"
    assert mask(text) == "홍길동([사번], [전화번호], [이메일]) 주민번호 [주민등록번호] 계좌 [계좌번호]"


def test_a_text_without_anything_is_the_same_object() -> None:
    """Typographic dashes and wide letters in it are left alone: only what is masked changes."""
    text = "점심시간은 12–13시예요 ３층"
    assert mask(text) is text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("면허 11-22-333333-44", "면허 [운전면허번호]"),
        ("여권 M123A4567", "여권 [여권번호]"),
        ("차 12가 3456", "차 [차량번호]"),
        ("문의 1588-1234", "문의 [전화번호]"),
    ],
)
def test_papers_and_plates(text: str, masked: str) -> None:
    """What else tells who somebody is, or what they drive."""
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("３층 — 010–1234–5678 —", "３층 — [전화번호] —"),
        ("폭\u200b 없는 01\u200b0-1234-5678\u200b 공백", "폭\u200b 없는 [전화번호]\u200b 공백"),
        ("q=a%20b&p=010%2D1234%2D5678&r=%20", "q=a%20b&p=[전화번호]&r=%20"),
        ("\\n둘\\n010-1234-5678\\n", "\\n둘\\n[전화번호]\\n"),
        ("차&nbsp;12&nbsp;가&nbsp;3456&nbsp;끝", "차&nbsp;[차량번호]&nbsp;끝"),
        (normalize("NFD", "차 12가3456 한글"), normalize("NFD", "차 ") + "[차량번호]" + normalize("NFD", " 한글")),
        ("０\ufe0f\u20e310-1234-567８\ufe0f\u20e3!", "[전화번호]!"),
    ],
)
def test_what_is_around_stays_as_typed(text: str, masked: str) -> None:
    """Wide letters, escapes and invisible characters are seen through, and outside of what is masked they remain."""
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text", ["010-1234-5678", "a 010-1234-5678 b hong@encar.example", "사번 2024001, 차 12가 3456"]
)
def test_findings_say_what_stands_where(text: str) -> None:
    """In order, apart from each other, and with the places in the text as typed."""
    findings = find(text)
    masked = text
    for start, end, kind in reversed(findings):
        masked = masked[:start] + kind.label + masked[end:]
    assert masked == mask(text)


def test_findings_in_text_with_escapes() -> None:
    """Offsets count what was typed, not what was read."""
    text = "&lt;010%2D1234%2D5678&gt;"
    assert [(text[start:end], kind) for start, end, kind in find(text)] == [("010%2D1234%2D5678", Kind.PHONE)]


# Dense in everything that patterns look at, so that numbers touch and hide each other.
PIECES = st.lists(
    st.sampled_from(
        [*"0123456789 .-_/()[]@%&;+,:가주계번M\n\u200b０１－＠\u00a0",
         "010", "2024001", "900101", "1234567", "@x.kr", "82", "계좌", "사번", "은행", "카드", "여권", "서울", "12가",
         "1588", "-1234", "%2D", "\\u0031", "&#64;", "[사번]", "번호]", "원", "4111", "주문번호", "git", "전화",
         "11-22-333333-44", "M12345678", "임시", "2x.png", "\\n"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=300), PIECES))
def test_any_text_can_be_masked_twice(text: str) -> None:
    """Nothing breaks it, and masking what is masked changes nothing."""
    once = mask(text)
    assert mask(once) == once


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=300), PIECES))
def test_findings_are_in_order_and_apart(text: str) -> None:
    """So that whoever replaces them need not look twice."""
    findings = find(text)
    assert findings == sorted(findings)
    assert all(0 <= one.start < one.end <= len(text) for one in findings)
    assert all(one.end <= after.start for one, after in pairwise(findings))


@given(st.text(st.characters(exclude_categories=["Nd"], exclude_characters="@\uff20\ufe6b"), max_size=300))
def test_without_digit_and_at_sign_nothing_changes(text: str) -> None:
    """Not even the object."""
    assert mask(text) is text


@given(st.text("가나 .,:()\n", max_size=20), st.text("가나 .,:()\n", max_size=20))
def test_neighbours_do_not_hide_a_number(before: str, after: str) -> None:
    """Whatever words and marks stand around them."""
    masked = mask(f"{before}010-1234-5678{after}")
    assert "1234" not in masked
    masked = mask(f"{before}900101-1234567{after}")
    assert "1234567" not in masked
