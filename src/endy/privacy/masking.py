"""Finding and masking personal data in text: pure functions, linear in the text's length."""

import re

from endy.privacy import money, papers
from endy.privacy.emails import EMAIL
from endy.privacy.findings import Finding, Kind
from endy.privacy.named import NAMED, OTHERWISE_NAMED
from endy.privacy.parts import START
from endy.privacy.plain import plain
from endy.privacy.telephones import TELEPHONE

_SOMETHING = re.compile("[0-9@\uff10-\uff19\uff20\ufe6b\U0001d7ce-\U0001d7ff]")
_DIGITS = re.compile("[0-9]{3}|[0-9]{2}[ .-]|[0-9] [0-9]")
_PASSES = 5

_SHAPES = re.compile(
    rf"(?=[0-9]{{2}}|0 1|[+(]){START}(?:(?P<RESIDENT>{papers.RESIDENT})|(?P<CARD>{money.CARD})"
    rf"|(?P<LICENCE>{papers.LICENCE})|(?P<PHONE>{TELEPHONE})|(?P<ACCOUNT>{money.ACCOUNT})"
    rf"|(?P<EMPLOYEE>{papers.EMPLOYEE})|(?P<PLATE>{papers.PLATE}))"
)
_BY_REGION = re.compile(
    rf"(?=[서부대인광울세경강충전제임외영준국협])(?:(?P<LICENCE>{papers.LICENCE_BY_REGION})|(?P<PLATE>{papers.PLATE_BY_REGION}))"
)
_PASSPORT = re.compile(papers.PASSPORT)
_KINDS = dict(Kind.__members__)
_LABELS = {kind: kind.label for kind in Kind}

_Candidate = tuple[int, int, int, Kind | None]


def find(text: str) -> list[Finding]:
    """What is personal in the text, in order and without overlaps."""
    if not _SOMETHING.search(text):
        return []
    readable = plain(text)
    kept: list[_Candidate] = []
    for candidate in sorted(_candidates(readable.text)):
        if not kept or kept[-1][2] <= candidate[0]:
            kept.append(candidate)
        elif candidate[1] < kept[-1][1]:
            kept[-1] = candidate
    if readable.origins is None:
        return [Finding(start, end, kind) for start, _, end, kind in kept if kind]
    return [Finding(*readable.span(start, end), kind) for start, _, end, kind in kept if kind]


def mask(text: str) -> str:
    """The text with personal data replaced by labels such as [이메일]; everything else stays as it was typed."""
    for _ in range(_PASSES):
        # What stood too close to another number shows only when that is gone.
        findings = find(text)
        if not findings:
            break
        text = _replaced(text, findings)
    return text


def _replaced(text: str, findings: list[Finding]) -> str:
    parts, behind = [], 0
    for start, end, kind in findings:
        parts += [text[behind:start], _LABELS[kind]]
        behind = end
    return "".join([*parts, text[behind:]])


def _candidates(text: str) -> list[_Candidate]:
    """Spans with their precedence; one without a kind is nobody's, and keeps lesser ones away."""
    found: list[_Candidate] = []
    if "@" in text:
        found += [(match.start(), 0, match.end(), Kind.EMAIL) for match in EMAIL.finditer(text)]
    if not _DIGITS.search(text):
        return found
    for pattern in OTHERWISE_NAMED:
        found += [(match.start("number"), 1, match.end("number"), None) for match in pattern.finditer(text)]
    for pattern in (_BY_REGION, _SHAPES):
        found += [
            (match.start(), 2, match.end(), _KINDS[match.lastgroup or ""])
            for match in pattern.finditer(text)
            if match.lastgroup != "CARD" or money.passes_luhn(match.group())
        ]
    found += [(match.start(), 3, match.end(), Kind.PASSPORT) for match in _PASSPORT.finditer(text)]
    for rank, (kind, pattern) in enumerate(NAMED, 4):
        found += [(match.start("number"), rank, match.end("number"), kind) for match in pattern.finditer(text)]
    return found
