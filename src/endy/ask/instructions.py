"""Text that speaks to a language model instead of to people: found, so that no model gets to read it.

What looks like an instruction is kept from the model, wherever it stands. This is the first of two lines: the guard,
which lets nothing through that the sources do not say, holds whatever this one misses.
"""

import re
import unicodedata
from functools import lru_cache

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

_ANSWER = r"(?:답변|응답|대답|답|출력|회신)"
_ALWAYS = r"(?:반드시|항상|무조건|꼭|언제나|오직|늘)"
_PLACE = r"(?:첫\s*줄|첫\s*문장|맨\s*(?:앞|위|끝|아래|처음)|끝|앞|처음|시작|마지막)"

_PATTERNS = [
    # Overriding what was said before.
    rf"(?:이전|앞선?|앞의|위의?|지금까지|기존|원래|먼저|받은|모든|다른)[^.!?\n]{{0,14}}{_RULES}[^.!?\n]{{0,14}}{_DROP}",
    rf"{_RULES}(?:을|를|은|는|들을|문을|사항을)?\s*(?:모두|전부|다|완전히|싹)?\s*{_DROP}"
    r"(?:하|해|한|할|합|된|됨|어|고|지\s*말)",
    rf"{_RULES}[^.!?\n]{{0,20}}(?:보다|가|이|을|를)\s*(?:더\s*)?우선(?:하|한|합|시)",
    r"(?:위|앞|이전|다른|아래|나머지)의?\s*(?:내용|자료|문서|출처|설명|문단|정보)[^.!?\n]{0,12}(?:무시|믿지\s*말|버리|잊)",
    r"자료(?:는|를|만)?\s*(?:모두|다)?\s*무시",
    r"\b(?:ignore|disregard|forget|override|bypass|drop|stop following|do not follow|don't follow)\b[^.!?\n]{0,40}"
    r"\b(?:instructions?|rules?|prompts?|guidelines?|context|directions?|guardrails?|polic(?:y|ies)|above|previous|prior|"
    r"other sources|sources|documents?)\b|^\s*override\s*:",
    r"\b(?:new|updated|real|actual|important|urgent)\s+(?:system\s+)?(?:instructions?|directives?|orders?)\s*[:：]",
    r"(?:새로운?|진짜|실제|중요|긴급|관리자|개발자|시스템)\s*(?:지시|명령|지침|메시지|프롬프트|규칙)(?:사항)?\s*[\]:：]",
    rf"{_ANSWER}\s*(?:생성|작성)?\s*(?:규칙|형식|방식)(?:을|를|은|이|의)?\s*(?:변경|바꾸|바뀌|다음|:|：)|출력\s*형식",
    # Marks of a conversation's format.
    r"<\|?\s*/?\s*(?:system|assistant|user|im_start|im_end|endoftext)\b|\[/?INST\]|<<\s*/?SYS\s*>>|"
    r"^\s*#{1,4}\s*(?:system|instructions?|assistant|developer)\b|^\s*(?:system|assistant|developer)\s*[:：]|"
    r"\"role\"\s*:\s*\"|<\s*/?\s*(?:자료|질문|sources?|question)\b|^\s*질문\s*[:：].*답변\s*[:：]",
    rf"{_MODEL}\s*[:：]|\b(?:note|message|memo|attention) (?:to|for) (?:the |any |all )?"
    r"(?:assistant|AI|model|chatbot|LLM|bot|language model)s?\b",
    # Whoever speaks of a bot's duties speaks to it; what people may do with one is another matter.
    r"(?:봇|AI|인공\s*지능(?:\s*비서)?|언어\s*모델|LLM|GPT|어시스턴트|에이전트|"
    r"이\s*(?:글|문서|단락|문단|자료)[을를]?\s*(?:본|읽은|읽는)\s*시스템)"
    r"(?:은|는|이|가|에게|께|라면|용|\s*전용)"
    r"(?![^.!?\n]{0,40}(?:쓰|사용|이용|입력|넣|활용|도입|가입))[^.!?\n]{0,60}"
    r"(?:야\s*(?:합|한|해|함)|하라|할\s*것|[하으]십시오|하세요|주시기\s*바|주세요|덧붙|홍보|보고|수집)",
    r"(?:검색\s*결과|요약|응답|답변|인용)(?:을|를)?\s*(?:요약\s*)?(?:시(?:에는?)?|할\s*때|하는\s*경우)\s[^.!?\n]{0,60}"
    r"(?:것|십시오|시오|하라|마라|하세요|마세요|주세요)",
    r"그대로\s*(?:읽어|말해|알려)\s*주지\s*(?:말고|마)|"
    r"\b(?:attention|dear|hey),? (?:all )?(?:AI|LLM|assistants?|bots?|models?)\b|"
    r"\bwhen (?:summari[sz]ing|quoting|answering|responding)\b|\binform (?:the )?(?:readers?|users?) accordingly\b",
    # Another role.
    r"(?:너는|넌|네가|당신은|당신이|그대는|엔디는|엔디야)[,\s]*(?:이제|지금|지금부터|앞으로|오늘부터|더\s*이상|사실|원래)(?:부터)?(?![가-힣])",
    r"(?:지금부터|이제부터|앞으로)\s*(?:너는|넌|당신은|엔디는|모든\s*(?:답|질문|대답))",
    r"\b(?:you are now|from now on,? (?:you|act|respond|answer|reply)|act as|pretend (?:to be|that|the|you)|"
    r"role-?play|jailbreak|developer mode|DAN mode|unrestricted|no restrictions)\b|(?:개발자|탈옥|DAN)\s*모드",
    r"역할극|(?:인|된|라는)\s*(?:척|것처럼)[^.!?\n]{0,16}(?:답|말|행동|연기|대답)(?:해|하)\s*(?:줘|라|세요|봐|$)",
    rf"(?:반말|영어|존댓말|욕|사투리|말투)로(?:만)?\s*(?:{_ANSWER}|말|설명)|{_ANSWER}[^.!?\n]{{0,6}}(?:반말|영어)로",
    # Telling a model what to say.
    rf"{_MODEL}(?:에게|께|한테|야|는|은|가|이|라면|님|,|에)[^.!?\n]{{0,60}}{_SAY}[^.!?\n]{{0,10}}{_ORDER}",
    r"(?:이\s*(?:글|문서|자료|문장|부분|페이지|내용)[을를]?\s*(?:읽|요약|인용|정리|참고|본)[^.!?\n]{0,12})?"
    r"(?:모델|봇|AI|인공\s*지능|도우미|어시스턴트|엔디)(?:이|은|는|라면|에게|야)[^.!?\n]{0,60}"
    r"(?:야\s*(?:한다|합니다|해요|함)|하라|하시오|할\s*것|해제|따라야|인용|안내(?:하라|해야))",
    rf"{_ANSWER}(?:을|에|의|은|는)?\s*{_PLACE}(?:에|에는|에서|부분에)?[^.!?\n]{{0,50}}(?:{_SAY}|붙|넣|적|써|쓰)",
    rf"{_ANSWER}(?:에|에는|은|는|을|의|에서|할\s*때|하기\s*전에|을\s*하면서)[^.!?\n]{{0,30}}"
    rf"(?:{_ALWAYS}|{_PLACE})[^.!?\n]{{0,40}}(?:{_SAY}|{_ORDER})",
    rf"(?:{_ALWAYS}|모든\s*질문에|어떤\s*질문에도|무엇을\s*물어도|무엇을\s*묻든)[^.!?\n]{{0,60}}"
    rf"(?:라고|이라고|다고|만|로)\s*(?:만\s*)?{_SAY}",
    rf"[\"'“‘「『][^\"'”’」』\n]{{1,80}}[\"'”’」』]\s*(?:이?라고|만|을|를|로)?\s*(?:만|먼저|그대로)?\s*{_UTTER}"
    rf"[^.!?\n]{{0,8}}{_ORDER}",
    r"[\"'“‘「『][^\"'”’」』\n]{1,80}[\"'”’」』]\s*이?라고\s*(?:먼저\s*|꼭\s*)?(?:말하고|말한|답하고|쓰고|적고)",
    rf"(?:라고|다고)\s*(?:만\s*)?(?:답|대답|응답|출력|말)(?:변)?(?:하|해)[^.!?\n]{{0,6}}{_ORDER}",
    r"(?:질문자|질문한\s*사람|묻는\s*사람|물어본\s*사람)(?:에게|한테)",
    r"(?:지어내|거짓말(?:을)?\s*(?:해|하)|추측으로\s*(?:답|말)|아무\s*말이나)",
    r"(?:^|[.!?:;,\n]\s*|\b(?:must|always|please|should|now|instead|and|then|only|just)\s+)(?:respond|reply|answer|output|"
    r"print|say|write|append|include|begin|start|end|repeat|tell (?:the )?(?:user|reader|employee)s?|"
    r"translate|summari[sz]e|add)\b"
    r"[^.!?\n]{0,60}(?:\b(?:only|exactly|with|in|that|this|every|as|above|before|your|the link)\b|[\"'“:])",
    r"\b(?:assistant|AI|model|chatbot|LLM|Endy)\b[^.!?\n]{0,30}\b(?:must|should|has to|is required to|shall|"
    r"will now)\b",
    r"\b(?:only|one) (?:true|correct) answer\b|\breply with it\b",
    # Asking for something else than an answer.
    r"\b(?:tell|write|make|compose|sing)\b[^.!?\n]{0,12}\b(?:jokes?|poems?|stor(?:y|ies)|songs?|essays?|rap)\b",
    r"(?:시|소설|노래|농담|욕설|욕|편지|동화)(?:을|를|도)?\s*(?:하나|한\s*편|좀)?\s*(?:써|지어|들려|불러)\s*(?:줘|봐|주세요|라)",
    # Asking for what nobody is shown.
    rf"{_SECRETS}[^.!?\n]{{0,24}}"
    r"(?:보여|알려|출력|공개|말해|복사|반복|번역|요약|나열|읽어|적어|뭐|무엇|전송|보내|인용|베껴|써)",
    r"\b(?:reveal|repeat|show|print|leak|output|dump|translate|summari[sz]e|what (?:is|are|was|were)|tell me|give me|"
    r"copy|quote)\b"
    r"[^.!?\n]{0,40}\b(?:system prompt|prompt|instructions|system message|hidden rules|initial rules|api[ _-]?keys?|"
    r"secrets?|environment variables?|everything above|text above|words above)\b",
    # Data that would leave with an image or a link.
    r"!\[[^\]]*\]\s*\(|\bhttps?://\S{0,200}(?:\{|\$\{|%7B|<)\S*|https?://\S{1,200}[=/]\s*뒤에\s*붙|"
    r"(?:링크|주소|그림|이미지)(?:에|로)[^.!?\n]{0,20}(?:대화|질문|개인정보|내용)[^.!?\n]{0,12}(?:붙여|넣어|실어|보내|전송)",
]
_HANGUL = re.compile("[가-힣]")
_UNREADABLE = re.compile("[\u00c0-\u024f\u0370-\u10ff\u1e00-\u1fff]")
_INSTRUCTION = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE | re.MULTILINE)


def readable(text: str) -> str:
    """The text as a reader sees it: NFKC, without invisible characters, in which orders like to hide."""
    composed = unicodedata.normalize("NFKC", text)
    return "".join(
        char for char in composed if unicodedata.category(char) not in ("Cf", "Co", "Cn") or char == "\u200d"
    )


@lru_cache(maxsize=20_000)
def speaks_to_model(text: str) -> bool:
    """Whether the text tells a language model what to do, in Korean or English; other languages always might."""
    seen = readable(text)
    return _INSTRUCTION.search(seen) is not None or (_UNREADABLE.search(seen) is not None and not _HANGUL.search(seen))
