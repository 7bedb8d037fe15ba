"""Look menu paths, codes and link targets up in passages."""

import re
from collections.abc import Sequence
from itertools import pairwise

from endy.ask.guard.addresses import menu_text, url
from endy.ask.guard.facts import passage_facts
from endy.ask.guard.reading import read


def holds_name(name: str, source: str) -> bool:
    known = re.sub(r"[-_ ]", "", read(source).text).upper()
    return (
        re.search(rf"(?<![A-Z0-9]){re.escape(name)}(?![A-Z0-9])", known) is not None
        or re.search(rf"(?<![A-Z0-9]){re.escape(name)}(?![A-Z0-9])", re.sub(r"[-_]", "", read(source).text).upper())
        is not None
    )


_JOSA = r"(?:에서|에게|에|으로|로|을|를|이|가|은|는|의|과|와|도|까지|부터|이에요|예요|입니다|이고|이며|메뉴|화면|탭)"
_AFTER_STEP = re.compile(
    rf"(?:{_JOSA})?(?:[^가-힣A-Za-z0-9 ]|$| (?:메뉴|화면|탭|페이지|버튼|경로|항목|순서|순으로|후|하면"
    rf"|하고|선택|클릭|누르|눌러|들어가|이동|가서|열어|또는|혹은|이나|and|or|to|in|menu|page|screen|tab"
    rf"|then))|{_JOSA} "
)


def holds_menu(path: str, source: str) -> bool:
    known = menu_text(read(source).text)
    steps = path.lstrip("`").split(">")
    if path.startswith("`"):
        return _path_in(steps, known, exact=True)
    if _path_in(steps, known, exact=False):
        return True
    inner = any(" " in step for step in steps[1:-1])
    return inner and all(_path_in(list(pair), known, exact=False) for pair in pairwise(steps))


def _path_in(steps: list[str], known: str, *, exact: bool) -> bool:
    firsts = [steps[0]] if exact else _tails(steps[0])
    lasts = [steps[-1]] if exact else _heads(steps[-1])
    return any(_known_path(">".join((first, *steps[1:-1], last)), known) for first in firsts for last in lasts)


def _known_path(path: str, known: str) -> bool:
    return re.search(rf"(?<![가-힣A-Za-z0-9]){re.escape(path)}(?={_JOSA}?(?:[^가-힣A-Za-z0-9]|$))", known) is not None


def _tails(step: str) -> list[str]:
    """What may be the first step: the last words of what stands before the mark."""
    words = step.lstrip("[('\"").rstrip("])'\"").split(" ")
    return [" ".join(words[place:]).lstrip("[('\"") for place in range(max(0, len(words) - 4), len(words))]


def _heads(step: str) -> list[str]:
    """What may be the last step, given that the sentence goes on as it does behind one."""
    ends = [match.end() for match in re.finditer(r"[^ ]+", step)][:4]
    tries = (
        {step[:end] for end in ends}
        | {re.sub(rf"{_JOSA}[^가-힣]*$", "", step[:end]) for end in ends}
        | {re.sub(r"[^가-힣A-Za-z0-9]+$", "", step[:end]) for end in ends}
    )
    return [text for text in tries if text and _AFTER_STEP.match(step[len(text) :])]


def known_urls(sources: Sequence[str]) -> set[str]:
    """Every address in the passages, as facts spell them."""
    return {fact.value for source in sources for fact in passage_facts(source) if fact.kind in ("url", "email")}


def same_url(target: str, sources: Sequence[str]) -> bool:
    """A link's target is an address, e-mail or number that the passages hold."""
    plain = re.sub(r"^(?:mailto|tel):", "", target.strip(), flags=re.IGNORECASE)
    phones = {fact.value for source in sources for fact in passage_facts(source) if fact.kind == "phone"}
    return (
        url(plain) in known_urls(sources)
        or plain.lower() in known_urls(sources)
        or (target.startswith("tel:") and re.sub("[^0-9]", "", plain) in phones)
    )
