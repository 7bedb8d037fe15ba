"""Text that speaks to a language model instead of to people: found, so that no model gets to read it.

What looks like an instruction is kept from the model, wherever it stands. This is the first of two lines: the guard,
which lets nothing through that the sources do not say, holds whatever this one misses.
"""

import re
import unicodedata

_MODEL = (
    r"(?:AI|A\.I\.|인공\s*지능|챗\s*봇|어시스턴트|언어\s*모델|LLM|GPT|엔디|도우미|assistant|chatbot|language model)"
)
_RULES = r"(?:지시|명령|규칙|지침|프롬프트|설정|제약|안전\s*장치|가드레일|역할)"
_DROP = r"(?:무시|잊|따르지|버리|버려|취소|해제|덮어|벗어|어기|어겨|폐기|초기화)"
_SECRETS = (
    r"(?:프롬프트|지시문|시스템\s*(?:메시지|설정|지시|명령)|(?:내부|숨은|숨겨진|받은|첫)\s*(?:지침|지시|규칙)|"
    r"(?:api|에이피아이)\s*(?:키|key)|비밀\s*키|환경\s*변수|비밀번호\s*목록)"
)
_SAY = (
    r"(?:답(?:해|하|변)|대답|응답|출력|말(?:해|하)|써\s*(?:줘|라|서)|쓰(?:세요|시오|십시오|도록)|적어|표시|안내(?:해|하)|"
    r"포함|붙여|붙이|넣어|넣으|추가|시작|끝내|인쇄|회신|작성)"
)
_UTTER = r"(?:답(?:해|하|변)|대답|응답|출력|말(?:해|하)|쓰(?:세요|시오|십시오)|시작|끝내|인쇄|회신)"
_ORDER = r"(?:하라|해라|하세요|하십시오|하시오|할\s*것|해\s*줘|해\s*주|해야|하도록|세요|십시오|시오|줘|라$|라[.!\s])"

_PATTERNS = [
    # Overriding what was said before.
    rf"(?:이전|앞선?|앞의|위의?|지금까지|기존|원래|먼저|받은|모든|다른)[^.!?\n]{{0,14}}{_RULES}[^.!?\n]{{0,14}}{_DROP}",
    rf"{_RULES}(?:을|를|은|는|들을|문을|사항을)?\s*(?:모두|전부|다|완전히|싹)?\s*{_DROP}(?:하|해|어|고|지\s*말)",
    r"\b(?:ignore|disregard|forget|override|bypass|drop|stop following|do not follow|don't follow)\b[^.!?\n]{0,40}"
    r"\b(?:instructions?|rules?|prompts?|guidelines?|context|directions?|guardrails?|polic(?:y|ies)|above|previous|prior)\b",
    r"\b(?:new|updated|real|actual|important|urgent)\s+(?:system\s+)?(?:instructions?|directives?|orders?)\s*[:：]",
    r"(?:새로운?|진짜|실제|중요|긴급|관리자|개발자|시스템)\s*(?:지시|명령|지침|메시지|프롬프트)(?:사항)?\s*[:：]",
    # Marks of a conversation's format.
    r"<\|?\s*/?\s*(?:system|assistant|user|im_start|im_end|endoftext)\b|\[/?INST\]|<<\s*/?SYS\s*>>|"
    r"^\s*#{1,4}\s*(?:system|instructions?|assistant|developer)\b|^\s*(?:system|assistant|developer)\s*[:：]|"
    r"\"role\"\s*:\s*\"|</?\s*(?:자료|질문|sources?|question)\b",
    # Another role.
    r"(?:너는|넌|네가|당신은|당신이|그대는|엔디는|엔디야)\s*(?:이제|지금|지금부터|앞으로|오늘부터|더\s*이상|사실|원래)\b",
    r"(?:지금부터|이제부터|앞으로)\s*(?:너는|넌|당신은|엔디는|모든\s*(?:답|질문|대답))",
    r"\b(?:you are now|from now on,? (?:you|act|respond|answer|reply)|act as|pretend (?:to be|that you|you)|"
    r"role-?play|jailbreak|developer mode|DAN mode|unrestricted|no restrictions)\b|(?:개발자|탈옥|DAN)\s*모드",
    r"(?:역할극|(?:인|된|라는)\s*척|인\s*것처럼)[^.!?\n]{0,16}(?:답|말|행동|연기|대답)",
    # Telling a model what to say.
    rf"{_MODEL}(?:에게|께|한테|야|는|은|가|이|라면|님|,|에)?[^.!?\n]{{0,40}}{_SAY}[^.!?\n]{{0,10}}{_ORDER}",
    rf"(?:답변|응답|대답|답|출력)(?:에|에는|은|는|을|의|에서|할\s*때|하기\s*전에)[^.!?\n]{{0,30}}"
    rf"(?:반드시|항상|무조건|꼭|언제나|오직|첫\s*줄|맨\s*(?:앞|위|끝|아래)|끝에|앞에|마지막에)[^.!?\n]{{0,40}}(?:{_SAY}|{_ORDER})",
    rf"(?:반드시|항상|무조건|꼭|언제나|오직|모든\s*질문에|어떤\s*질문에도|무엇을\s*물어도)[^.!?\n]{{0,60}}"
    rf"(?:라고|이라고|다고|만|로)\s*(?:만\s*)?{_SAY}",
    rf"[\"'“‘「『][^\"'”’」』\n]{{1,80}}[\"'”’」』]\s*(?:이?라고|만|을|를|로)?\s*(?:만|먼저|그대로)?\s*{_UTTER}[^.!?\n]{{0,8}}{_ORDER}",
    rf"(?:라고|다고)\s*(?:만\s*)?(?:답|대답|응답|출력|말)(?:변)?(?:하|해)[^.!?\n]{{0,6}}{_ORDER}",
    r"(?:^|[.!?:;,\n]\s*|\b(?:must|always|please|should|now|instead|and|then|only|just)\s+)(?:respond|reply|answer|output|"
    r"print|say|write|append|include|begin|start|end|repeat|tell (?:the )?(?:user|reader|employee)s?|"
    r"translate|summari[sz]e)\b"
    r"[^.!?\n]{0,60}(?:\b(?:only|exactly|with|in|that|this|every|as|above|before|your)\b|[\"'“:])",
    r"\b(?:assistant|AI|model|chatbot|LLM|Endy)\b[^.!?\n]{0,30}\b(?:must|should|has to|is required to|shall|"
    r"will now)\b",
    # Asking for what nobody is shown.
    rf"{_SECRETS}[^.!?\n]{{0,24}}"
    r"(?:보여|알려|출력|공개|말해|복사|반복|번역|요약|나열|읽어|적어|뭐|무엇|전송|보내|인용|베껴|써)",
    r"\b(?:reveal|repeat|show|print|leak|output|dump|translate|summari[sz]e|what (?:is|are|was|were)|tell me|give me|copy|"
    r"quote)\b"
    r"[^.!?\n]{0,40}\b(?:system prompt|prompt|instructions|system message|hidden rules|initial rules|api[ _-]?keys?|"
    r"secrets?|"
    r"environment variables?|everything above|text above|words above)\b",
    # Data that would leave with an image or a link.
    r"!\[[^\]]*\]\s*\(|\bhttps?://\S*(?:\{|\$\{|%7B|<)\S*|(?:링크|주소|그림|이미지)(?:에|로)[^.!?\n]{0,20}(?:대화|질문|개인정보|내용)[^.!?\n]{0,12}"
    r"(?:붙여|넣어|실어|보내|전송)",
]
_INSTRUCTION = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE | re.MULTILINE)


def readable(text: str) -> str:
    """The text as a reader sees it: NFKC, without invisible characters, in which orders like to hide."""
    composed = unicodedata.normalize("NFKC", text)
    return "".join(
        char for char in composed if unicodedata.category(char) not in ("Cf", "Co", "Cn") or char == "\u200d"
    )


def speaks_to_model(text: str) -> bool:
    """Whether the text tells a language model what to do, in Korean or English."""
    return _INSTRUCTION.search(readable(text)) is not None
