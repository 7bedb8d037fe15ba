"""The fixed sentences around an answer, in the language of the question."""

import re

_HANGUL = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ]")


def is_korean(question: str) -> bool:
    return bool(_HANGUL.search(question))


def has_final_consonant(word: str) -> bool:
    """Whether the last Hangul syllable ends in a consonant, which chooses the particle."""
    last = next((char for char in reversed(word) if "가" <= char <= "힣"), "")
    return bool(last) and (ord(last) - 0xAC00) % 28 > 0


def lead(title: str, korean: bool) -> str:
    return (
        f"**{title}** 안내에서 찾았어요." if korean else f"Here is what our guide says under **{title}** (in Korean):"
    )


def no_answer(department: str, contact: str, korean: bool) -> str:
    who = f"{department}({contact})" if department and contact else department
    if korean:
        advice = (
            f" {who}에 물어보시면 가장 빨라요." if who else " 조금 더 자세히 적어 주시거나 담당 부서에 물어봐 주세요."
        )
        return f"답을 찾지 못했어요.{advice}"
    advice = f" {who} can help you fastest." if who else " Please rephrase, or ask the department in charge."
    return f"I could not find an answer.{advice}"


def model_away(korean: bool) -> str:
    """Why an answer is quoted although a model writes here."""
    if korean:
        return "지금은 문장을 다듬어 드리지 못해서 자료에 있는 내용을 그대로 보여 드려요."
    return "The writing model is away, so this is what our guide says word for word."


def clarify(korean: bool) -> str:
    return "어떤 내용이 궁금하세요? 하나를 골라 주세요." if korean else "Which one do you mean? Please choose."


def about(title: str, korean: bool) -> str:
    """A section's title as a question that can be asked again."""
    if title.rstrip().endswith(("?", "요", "까")):
        return title
    return f"{title} 알려 주세요" if korean else f"Tell me about {title}"
