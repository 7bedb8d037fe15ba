"""Invented people, questions, sections and answers for the browser tests."""

from html import escape
from typing import Any

PEOPLE = {
    "2024002": {"employee_id": "2024002", "name": "이영희", "department": "P&C팀", "role": "admin"},
    "2024003": {"employee_id": "2024003", "name": "박민수", "department": "IT팀", "role": "user"},
}

QUESTIONS = {
    "HR": [
        "연차는 며칠 생겨요?",
        "반차는 어떻게 신청하나요?",
        "출산휴가는 며칠인가요?",
        "경조휴가는 며칠 쓸 수 있나요?",
    ],
    "IT": ["노트북이 고장 났어요", "VPN은 어떻게 연결하나요?", "비밀번호를 잊어버렸어요"],
    "총무": ["회의실은 어디서 예약하나요?", "명함은 어떻게 신청하나요?", "주차 등록은 어떻게 하나요?"],
    "복리후생": ["건강검진은 언제 받나요?", "복지 포인트는 어디에 쓸 수 있나요?"],
    "비즈니스": ["진단 서비스는 어떤 순서로 진행되나요?"],
    "기업 소개": ["회사의 핵심 가치는 무엇인가요?"],
}

LEAVE_ID = "hr_guide.md#휴가 > 연차휴가"

SECTIONS: dict[str, dict[str, Any]] = {
    LEAVE_ID: {
        "id": LEAVE_ID,
        "title": "연차휴가",
        "heading_path": ["휴가", "연차휴가"],
        "document": "인사 안내서",
        "html": (
            "<p>연차휴가는 근속 기간에 따라 생겨요. 입사일을 기준으로 계산해요.</p>"
            "<table><thead><tr><th>근속</th><th>연차</th></tr></thead><tbody>"
            "<tr><td>1년 미만</td><td>한 달에 1일</td></tr><tr><td>1년 이상</td><td>15일</td></tr>"
            "<tr><td>3년 이상</td><td>2년마다 1일 더해 25일까지</td></tr></tbody></table>"
            "<h4>신청 방법</h4><ol><li>사내 포털에서 <strong>근태 &gt; 휴가 신청</strong>을 눌러요.</li>"
            "<li>날짜와 종류를 고르고 저장해요.</li><li>팀장이 승인하면 알림이 와요.</li></ol>"
            "<p>남은 연차는 12월 31일에 사라지고, 쓰지 않은 날은 다음 해 1월 급여에 수당으로 나와요.</p>"
        ),
        "department": "P&C팀",
        "contact": "내선 1201",
        "link": "https://portal.encar.example/leave",
        "updated_at": "2025-09-01T00:00:00Z",
    },
    "faq:12": {
        "id": "faq:12",
        "title": "연차는 며칠 생겨요?",
        "heading_path": [],
        "document": "faq.json",
        "html": "<p>1년 이상 일하면 15일이 생겨요.</p>",
        "department": "P&C팀",
        "contact": "내선 1201",
        "link": "",
        "updated_at": "2025-08-11",
    },
}

PASSAGE = """1. 사내 포털에서 **근태 > 휴가 신청**을 눌러요.
2. 날짜와 종류를 고르고 저장해요.
3. 팀장이 승인하면 알림이 와요."""

SOURCES = [
    {
        "id": LEAVE_ID,
        "number": 1,
        "title": "연차휴가",
        "heading_path": ["휴가", "연차휴가"],
        "document": "인사 안내서",
        "link": "https://portal.encar.example/leave",
        "passage": PASSAGE,
        "updated_at": "2025-09-01",
        "score": 0.91,
    },
    {
        "id": "faq:12",
        "number": 2,
        "title": "연차는 며칠 생겨요?",
        "heading_path": [],
        "document": "faq.json",
        "link": "",
        "passage": "1년 이상 일하면 15일이 생겨요.",
        "updated_at": "2025-08-11",
        "score": 0.74,
    },
]

ANSWER = """연차는 1년 이상 일하면 **15일**이 생기고, 3년째부터 2년마다 하루씩 늘어 25일까지 쌓여요 [1][2].

| 근속 | 연차 |
|---|---|
| 1년 미만 | 한 달에 1일 |
| 1년 이상 | 15일 |
| 3년 이상 | 2년마다 1일 더해 25일까지 |

신청은 이렇게 해요.

1. 사내 포털에서 **근태 > 휴가 신청**을 눌러요.
2. 날짜와 종류를 고르고 저장해요.
3. 팀장이 승인하면 알림이 와요."""

ANSWER_HTML = (
    "<p>연차는 1년 이상 일하면 <strong>15일</strong>이 생기고, "
    "3년째부터 2년마다 하루씩 늘어 25일까지 쌓여요 [1][2].</p>"
    "<table><thead><tr><th>근속</th><th>연차</th></tr></thead><tbody><tr><td>1년 미만</td><td>한 달에 1일</td></tr>"
    "<tr><td>1년 이상</td><td>15일</td></tr>"
    "<tr><td>3년 이상</td><td>2년마다 1일 더해 25일까지</td></tr></tbody></table>"
    "<p>신청은 이렇게 해요.</p><ol><li>사내 포털에서 <strong>근태 &gt; 휴가 신청</strong>을 눌러요.</li>"
    "<li>날짜와 종류를 고르고 저장해요.</li><li>팀장이 승인하면 알림이 와요.</li></ol>"
)


def answer_to(question: str) -> dict[str, Any]:
    if "우주" in question:
        return _no_answer()
    if question == "신청서 어디 내요?":
        return _clarify()
    if "<" in question:
        return _answer(answer=f"받은 질문: {question}", answer_html=f"<p>받은 질문: {escape(question)}</p>", sources=[])
    return _answer(understood="연차 며칠" if "dusck" in question else "")


def delay_of(question: str) -> float:
    return 12 if "아주느림" in question else 4 if "느림" in question else 0.02


def pause_of(question: str) -> float:
    return 2 if "느림" in question else 0.02


def _answer(**changes: Any) -> dict[str, Any]:
    return {
        "answer": ANSWER,
        "answer_html": ANSWER_HTML,
        "status": "answered",
        "mode": "extractive",
        "question_id": "q-1",
        "conversation_id": "c-1",
        "category": "HR",
        "department": "P&C팀",
        "contact": "내선 1201",
        "link": "https://portal.encar.example/leave",
        "confidence_score": 0.92,
        "sources": SOURCES,
        "related_questions": [
            "남은 연차는 어디서 볼 수 있나요?",
            "반차는 어떻게 신청하나요?",
            "연차 수당은 언제 나오나요?",
        ],
        "response_time": 0.38,
        "choices": [],
        "understood": "",
    } | changes


def _no_answer() -> dict[str, Any]:
    text = "이 질문에 맞는 자료를 찾지 못했어요. 총무팀(내선 1301)에 물어보시면 가장 빨라요."
    return _answer(
        answer=text,
        answer_html=f"<p>{text}</p>",
        status="no_answer",
        department="총무팀",
        contact="내선 1301",
        link="",
        sources=[],
        related_questions=["주차 등록은 어떻게 하나요?", "법인 차량은 어떻게 빌리나요?"],
        confidence_score=0.08,
    )


def _clarify() -> dict[str, Any]:
    text = "두 가지 신청서가 있어요. 어느 쪽이 궁금하세요?"
    choices = [
        {"title": "휴가 신청서", "question": "휴가 신청서는 어디에 내나요?", "source_id": LEAVE_ID},
        {"title": "장비 신청서", "question": "장비는 어떻게 신청하나요?", "source_id": "faq:12"},
    ]
    return _answer(
        answer=text,
        answer_html=f"<p>{text}</p>",
        status="clarify",
        sources=[],
        choices=choices,
        department="",
        contact="",
        link="",
        related_questions=[],
    )
