"""URLs, e-mail addresses, telephone numbers, versions, codes and menu paths."""

import re

from endy.ask.guard.scanning import Scan

_TLD = (
    "com|net|org|kr|io|example|invalid|test|local|internal|intra|ai|dev|app|co|me|gg|ly|link|site"
    "|info|biz|shop|xyz|jp|us|cn|page|cloud|tech"
)
_PATH = r"(?:[A-Za-z0-9\-._~:/?#@!$&'+,;=%\[(]|(?<=[/=\-_%가-힣])[가-힣])*"
_URL = re.compile(
    rf"(?:(?:https?|ftp)://|www\.){_PATH}|(?<![A-Za-z0-9@.\-])(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{{0,62}})\."
    rf"){{1,6}}(?:{_TLD})(?![A-Za-z0-9\-])(?:[/?:#]{_PATH})?",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){1,6}")
_PHONE = re.compile(
    r"(?<![0-9])(?:\+82[ -]?\(?0?\)?[ -]?[1-9][0-9]?"
    r"|\(?0[1-9][0-9]{0,2}\)?)[ .\-]{0,2}[0-9]{3,4}[ .\-]{0,2}[0-9]{4}(?![0-9])"
    r"|(?<![0-9])1[568][0-9]{2}[ \-][0-9]{4}(?![0-9])"
    r"|(?:내선|구내)(?: ?번호)?[는은]? ?:?#? ?(?P<inner>[0-9]{2,6})(?:번)?(?![0-9])"
    r"|(?:ext\.?|extension|x)[ :#]*(?P<ext>[0-9]{2,6})(?![0-9])",
    re.IGNORECASE,
)
_SPELLED = re.compile(
    r"(?<![가-힣])[공영일이삼사오육칠팔구](?:[ \-]{0,2}(?:에"
    r" )?[공영일이삼사오육칠팔구]){6,14}(?=[^가-힣]|$|[로으에번을를은입예]|이에|이고)"
)
_SPELLED_DIGITS = str.maketrans("공영일이삼사오육칠팔구", "00123456789")
_INNER_SPELLED = re.compile(
    r"(?:내선|구내)(?: ?번호)?[는은]? ?:? ?(?P<digits>[공영일이삼사오육칠팔구](?: ?[공영일이삼사오육칠팔구]){1,5})"
)
_VERSION = re.compile(
    r"(?<![A-Za-z0-9.])(?:v(?:er(?:sion)?)?\.? ?|버전 ?)(?P<a>[0-9]+(?:\.[0-9]+)*)"
    r"|(?<![0-9.])(?P<b>[0-9]+(?:\.[0-9]+){2,5})(?![0-9.]|\. ?[0-9])"
    r"|(?<![0-9.])(?P<c>[0-9]+(?:\.[0-9]+)*) ?(?:버전|version)",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"(?<![A-Za-z0-9])(?=[A-Za-z0-9\-_]{0,40}[0-9])[A-Za-z][A-Za-z]*(?:[-_]?[A-Za-z0-9]+)*(?![A-Za-z0-"
    r"9])|#[A-Za-z0-9][A-Za-z0-9_\-]*"
)


def find_addresses(scan: Scan) -> None:
    """URLs and e-mail addresses; taken first, for they hold digits of their own."""
    for match in scan.each(_EMAIL):
        scan.add("email", match.group().rstrip(".-").lower(), *match.span())
    for match in scan.each(_URL):
        scan.add("url", url(match.group()), *match.span())


def url(written: str) -> str:
    """An address without the marks that a sentence puts behind it."""
    text = written.strip().rstrip(".,;:!?'([)~")
    scheme, mark, rest = text.partition("://")
    text = rest if mark and scheme.lower() in ("http", "https") else text
    host, slash, path = text.partition("/")
    return (host.lower().removeprefix("www.") + slash + path).rstrip("/")


def find_phones(scan: Scan) -> None:
    """Telephone numbers and extensions, spelled ones too."""
    for match in scan.each(_PHONE):
        digits = re.sub("[^0-9+]", "", match["inner"] or match["ext"] or match.group())
        digits = "0" + digits[3:].removeprefix("0") if digits.startswith("+82") else digits
        scan.add("phone", digits, *match.span())
    for pattern in (_INNER_SPELLED, _SPELLED):
        for match in scan.each(pattern):
            spelled = match["digits"] if pattern is _INNER_SPELLED else match.group()
            scan.add("phone", re.sub("[^0-9]", "", spelled.translate(_SPELLED_DIGITS)), *match.span())


def find_versions(scan: Scan) -> None:
    """v2.1, 버전 3, 10.15.7."""
    for match in scan.each(_VERSION):
        number = match["a"] or match["b"] or match["c"]
        if match["b"] and re.fullmatch(r"(?:19|20)[0-9]{2}\.[0-9]{1,2}\.[0-9]{1,2}", number):
            scan.keep(match)
            continue
        scan.add("version", number, *match.span())


def find_codes(scan: Scan) -> None:
    """Letters and digits in one word: A4, WPA2, ENCAR-M2, #help."""
    for match in scan.each(_CODE):
        scan.add("name", re.sub(r"[-_]", "", match.group()).upper(), *match.span())


_QUOTED_MENU = re.compile(r"`([^`\n]*>[^`\n]*)`")
_MENU_LINE = re.compile(r"[^\n|;`\x00]{0,200}?[^\s>\n|;`\x00] {0,3}-?> {0,3}[^\s>\n|;`\x00][^\n|;`\x00]{0,200}")
_SEPARATOR = re.compile(r" {0,3}-?> {0,3}")


def find_menus(scan: Scan) -> None:
    """`설정 > 계정 > 보안`: in backquotes exactly these steps, else with the words around them."""
    quoted = [(match.span(), match[1], "`") for match in _QUOTED_MENU.finditer(scan.left)]
    rest = _QUOTED_MENU.sub(lambda match: "\x00" * len(match.group()), scan.left)
    loose = [(match.span(), match.group(), "") for match in _MENU_LINE.finditer(rest)]
    for (start, end), path, quote in quoted + loose:
        steps = [step.strip() for step in _SEPARATOR.split(path)]
        if len(steps) > 1 and all(steps):
            scan.add("menu", quote + ">".join(steps), start, end)


def menu_text(text: str) -> str:
    """The text with its menu marks written alike, to look paths up in."""
    return _SEPARATOR.sub(">", text)
