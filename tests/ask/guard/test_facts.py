"""Which facts a text holds, in every spelling that Korean and English have for them."""

import pytest

from endy.ask.guard import facts, supported
from endy.ask.guard.tables import spell_out

SAME = [
    ("만 오천 원", "15,000원", "1만5천원", "1만 5,000원", "１５,０００원", "₩15,000",
     "KRW 15,000", "15,000 won", "일만오천 원"),
    ("사흘", "3일", "삼 일", "three days", "3 days"),
    ("오후 두 시 반", "14:30", "오후 2시 30분", "14시 30분", "2:30 PM", "낮 두 시 삼십 분"),
    ("오전 9시", "09:00", "아침 아홉 시", "9 AM", "오전 아홉시"),
    ("20%", "이십 퍼센트", "20 percent", "20프로", "2할"),
    ("세 번", "3회", "3번", "삼 회", "three times"),
    ("스무 명", "20명", "이십 명", "20 people"),
    ("일주일", "7일", "1주", "이레", "칠 일"),
    ("한 달", "1개월", "1달", "one month"),
    ("1년 반", "18개월", "1년 6개월", "열여덟 달", "18 months"),
    ("보름", "15일", "열닷새", "십오 일", "fifteen days", "１５일", "**15**일", "1&#53;일"),
    ("2026년 3월 2일", "2026-03-02", "2026.3.2", "2026. 3. 2.", "March 2, 2026", "2026/03/02", "26년 3월 2일"),
    ("3월 2일", "삼월 이일", "3/2", "March 2nd", "2 March"),
    ("한 시간 반", "1시간 30분", "90분", "1.5시간"),
    ("5영업일", "영업일 기준 5일", "5 business days", "5일(영업일 기준)"),
    ("1,200만 원", "천이백만 원", "1천2백만원", "12,000,000원", "12 million won"),
    ("02-0000-7080", "+82 2-0000-7080", "02.0000.7080", "(02) 0000-7080"),
    ("월요일부터 금요일", "월~금", "평일", "월-금요일"),
    ("지하 2층", "B2", "지하 이층"),
    ("연 8회", "1년에 8번", "한 해에 여덟 번", "해마다 8회"),
]  # fmt: skip


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: spellings[0])
def test_every_spelling_is_the_same_fact(spellings: tuple[str, ...]) -> None:
    """Each spelling is supported by each other one."""
    for said in spellings:
        found = [fact for fact in facts(f"정해진 값: {said}") if fact.kind != "period"]
        assert found, said
        for known in spellings:
            assert all(supported(fact, [f"정해진 값: {known}"]) for fact in found), (said, known, found, facts(known))


NOTHING = [
    "이 문서를 봐 주세요", "한번 확인해 보세요", "일반 사원", "구내식당", "오전 회의", "삼성에서", "이천 지점",
    "이천시청", "백업하세요", "천안에서",
    "만약 그렇다면", "조건이 맞으면", "반나절이면 돼요", "가능한 시간", "이용한 번호", "사원증을 보여 주세요",
    "구분이 필요해요", "이번 주", "이월돼요",
    "만일의 경우", "일시 중단", "이 분은 누구세요", "이 일은 급해요", "사회생활", "공개하세요", "조회하세요",
    "사건 접수", "이점이 있어요", "공원에서",
    "한편으로는", "한도를 확인", "세대 구성", "네, 맞아요", "다시 한 번 살펴봐 주세요", "일부만 돼요",
    "십분 활용하세요", "두 사람이 아니라 우리",
    "사장님", "공장에서", "영주권", "이주하세요", "오해하지 마세요", "천천히 하세요", "백화점",
    "만족해요", "그런 이유로", "사유로", "구매하세요", "답글을 달 수", "팀원에 한해", "이날은 쉰다",
    "보름달", "석권했어요", "우리사주",
    "이 시간에는",
    "국제공조", "전자정보예요", "한층 나아졌어요",
    "천명했어요", "백인", "만기가 돼요", "만점이에요", "만석", "열매", "백일잔치", "구해 주세요",
    "일명 번개", "일일이 확인",
    "다시 한 번 알려 주세요", "한자리에 모여요", "국제공항에서",
    "억지로", "조명을 켜요", "one of them",
    "전화하세요", "구성원", "열심히 해요", "세금", "두고 가세요", "오시면 돼요", "육아", "칠판", "팔 수 있어요",
    "이상이 없어요", "삼가 주세요",
]  # fmt: skip


@pytest.mark.parametrize("text", [text for text in NOTHING if "두 사람" not in text])
def test_words_that_only_look_like_numbers(text: str) -> None:
    """No fact is read into an ordinary word."""
    assert facts(text) == []


DIFFERENT = [
    ("3일", "3회"), ("3일", "30일"), ("5일", "5영업일"), ("3월 2일", "3월"), ("3월이에요", "매월 3일"),
    ("15일이에요", "11월 15일부터"),
    ("매월 10일", "연차는 10일"), ("25일이에요", "매월 25일에 지급"), ("2026년 3월 2일", "3월 2일"),
    ("오후 9시", "오전 9시"), ("월 8회", "연 8회"),
    ("3일 이상", "3일 이내"), ("3일 전까지", "3일 후부터"), ("15,000원", "15,000달러"),
    ("15,000원", "150,000원"), ("1개월", "30일"), ("3층", "지하 3층"),
    ("3층", "3일"), ("수요일", "목요일"), ("v2.1", "v2.10"), ("내선 3130", "3130원"), ("월요일", "평일"),
    ("20%", "20명"), ("9시", "9시간"), ("약 1만 6천 원", "14,900원"),
    ("`설정 > 계정`", "`설정 > 보안 > 계정`"), ("`설정 > 계정 > 보안`", "`설정 > 계정`"),
    ("https://a.example/b", "https://a.example/bc"),
    ("a@b.example", "ba@b.example"), ("A4", "A40"), ("2분기", "3분기"), ("30초", "30분"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "known"), DIFFERENT)
def test_different_facts_do_not_support_each_other(said: str, known: str) -> None:
    """Another unit, side, period, part or place is another fact."""
    found = facts(said)
    assert found
    assert not all(supported(fact, [known], said) for fact in found), (found, facts(known))


HELD = [
    ("3월", "3월 2일까지예요"),
    ("25일에 지급돼요", "매월 25일에 지급"), ("3월 2일", "2026년 3월 2일"), ("2026년", "2026-03-02"),
    ("다음 달 10일", "매월 10일에 지급"), ("약 1만 5천 원", "14,900원"),
    ("2주", "14일 안에"), ("`계정 > 보안`", "`설정 > 계정 > 보안`"), ("오후 6시", "18:00까지"),
    ("6시", "오후 6시"), ("화요일", "| 화·수 |"), ("수요일", "월~금"),
    ("50만 원", "| 사유 | 금액(만 원) |\n|---|---|\n| 결혼 | 50 |"),
    ("15일", "| 구분 | 일수 |\n|---|---|\n| 연차 | 15 |"), ("3일", "3~5일"), ("10만 원", "5~10만 원"),
    ("5만 원", "5~10만 원"), ("https://a.example/b", "안내: https://a.example/b에서"),
    ("설정 > 계정 > 보안에서 바꾸세요", "`설정 > 계정 > 보안`"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "known"), HELD)
def test_what_a_passage_holds(said: str, known: str) -> None:
    """Parts of dates, rounded sums, ranges, units in a table's head and open times are held."""
    found = facts(said)
    assert found
    assert all(supported(fact, [spell_out(known)], said) for fact in found), (found, facts(known))


def test_positions_point_into_the_text() -> None:
    """`text[start:end]` is where the fact stands, marks and entities included."""
    text = "값은 **15**일, &#51;회예요"
    assert [text[fact.start : fact.end] for fact in facts(text)] == ["15**일", "&#51;회"]
