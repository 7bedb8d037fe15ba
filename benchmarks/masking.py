"""Time of masking for 100 KB of texts made to be slow, the best of three runs: `python -m benchmarks.masking`."""

import time

from rich.console import Console
from rich.table import Table

from endy.privacy.masking import mask

SIZE = 100_000
"""Bytes of UTF-8."""

INPUTS = {
    "숫자": "1",
    "@": "@",
    "글자와 점": "a.",
    "글자와 @": "a@",
    "도메인": "a@a.",
    "이메일": "a@b.co ",
    "한글 이메일": "가@나.",
    "빈칸": " ",
    "줄표": "-",
    "숫자와 빈칸": "1 ",
    "숫자와 줄표": "1-",
    "두 자리와 줄표": "12-",
    "두 자리와 긴 줄표": "12---------",
    "네 자리와 줄표": "1234-",
    "여섯 자리와 줄표": "123456-1",
    "한글": "가",
    "한글과 숫자": "가1",
    "문장": "연차는 2026-11-23까지 15일 쓸 수 있고 문의는 내선 1234예요. ",
    "기록": '{"ts":"2026-11-23T10:15:00+09:00","ms":12.3,"id":"550e8400-e29b-41d4-a716-446655440000"} ',
    "16진수": "deadbeef-",
    "16진수와 숫자": "0a",
    "휴대전화": "010-1234-5678 ",
    "휴대전화 앞부분": "010-",
    "국가번호": "+82 ",
    "괄호와 국가번호": "(+82)",
    "한 자리씩": "0 1 0 1 2 3 4 5 6 7 8 ",
    "대표번호": "1588-1234 ",
    "사번": "2024001 ",
    "사번 목록": "2024001,",
    "사번 범위": "2024001-",
    "사번이라는 말": "사번",
    "여덟 자리": "20240013 ",
    "주민등록번호": "900101-1234567 ",
    "붙여 쓴 주민등록번호": "9001011234567 ",
    "카드": "4111111111111111 ",
    "틀린 카드": "4111111111111112 ",
    "계좌": "110-123-456789 ",
    "계좌가 아닌 것": "110-123-45678 ",
    "은행이라는 말": "은행",
    "은행과 숫자": "은행 1234567890 ",
    "은행과 긴 숫자": "은행 123456789012345 ",
    "여권": "M12345678 ",
    "여권이라는 말": "여권 A",
    "면허": "11-22-333333-44 ",
    "면허 앞부분": "11-22-333333-",
    "차량번호": "12가 3456 ",
    "지역과 차량번호": "서울 12가 3456 ",
    "지역과 차량번호 앞부분": "서울 12가 345 ",
    "지역": "서울",
    "주문번호": "주문번호 12345678 ",
    "전각 숫자": "０",
    "전각 숫자와 빈칸": "１２３４　",
    "보이지 않는 글자": "\u200b",
    "숫자와 보이지 않는 글자": "1\u200b",
    "퍼센트 표기": "%31",
    "퍼센트 빈칸": "%20",
    "퍼센트 한글": "%EA%B0%80",
    "JSON 표기": "\\u0031",
    "HTML 표기": "&#49;",
    "풀어쓴 한글": "\u1100\u1161",
    "대괄호 라벨": "[사번]",
}


def milliseconds(text: str) -> float:
    """The best of three."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        mask(text)
        times.append(time.perf_counter() - started)
    return min(times) * 1000


def main() -> None:
    table = Table("100 KB 입력", "ms")
    taken = {name: milliseconds(piece * (SIZE // len(piece.encode()) + 1)) for name, piece in INPUTS.items()}
    for name, spent in sorted(taken.items(), key=lambda row: -row[1]):
        table.add_row(name, f"{spent:.1f}")
    console = Console()
    console.print(table)
    console.print(f"가장 오래 걸린 입력: {max(taken.values()):.1f} ms")


if __name__ == "__main__":
    main()
