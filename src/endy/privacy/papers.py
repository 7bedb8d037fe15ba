"""Numbers of people and their papers: resident, employee, passport, driver's licence and vehicle plate."""

from endy.privacy.parts import DIVIDER, END, QUANTITY, REGION

_DAY = "(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
# Numbers given since 2020 have no check digit. Undivided, the digit for the century must at least fit the year.
RESIDENT = (
    rf"[0-9]{{2}}{_DAY}(?:[ .\-_/~]{{1,3}}[1-8] ?[0-9]{{6}}|(?:[1256]|(?<=[0-3][0-9]{{5}})[3478])[0-9]{{6}}){END}"
)

LICENCE = rf"(?:1[1-9]|2[0-8]){DIVIDER}[0-9]{{2}}{DIVIDER}[0-9]{{6}}{DIVIDER}[0-9]{{2}}(?!-?[0-9])"
LICENCE_BY_REGION = rf"{REGION}{DIVIDER}(?:[0-9]{{2}}{DIVIDER})?[0-9]{{2}}{DIVIDER}[0-9]{{6}}{DIVIDER}[0-9]{{2}}{END}"

_YEAR_FIRST = "(?:19[89]|20[0-3])[0-9]{4}"
EMPLOYEE = (
    # INV-2024001, v2024001 and 2024나2024001 count documents, versions and cases; nobody's number ends in 000.
    rf"(?=[12][0-9]{{6}})(?<![A-Za-z])(?<![A-Z]-)(?<![0-9]{{4}}[가-힣])(?:(?<![0-9][.\-])|(?<=[0-9]{{7}}-))(?![0-9]{{4}}000){_YEAR_FIRST}"
    rf"(?![0-9A-Za-z]|\.[0-9]|-(?!{_YEAR_FIRST}(?![0-9]))[0-9]){QUANTITY}"
)

PASSPORT = (
    r"[MSRODG](?<![0-9A-Za-z_\-].) ?(?:(?!20[0-9]{2}(?:0[1-9]|1[0-2])[0-3][0-9])[0-9]{8}|[0-9]{3}[A-Z][0-9]{4})"
    r"(?![0-9A-Za-z_]|-[0-9A-Za-z])"
)

_LETTER = "[가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주바사아자허하호배]"
# 12주 3456 may count weeks; undivided or with a region it is a plate.
_DIVIDED = "[가나다라마거너더러머버서어저고노모소오구누두루무수우바사아허하호]"
_LAST = rf"[0-9]{{4}}(?![0-9]|[.:\-][0-9]|,[0-9]{{3}}(?![0-9])){QUANTITY}"
PLATE = (
    rf"(?=[0-9]{{2,3}} ?{_LETTER})(?<![0-9][.:\-])(?<!제)(?<!제 )[0-9]{{2,3}}(?: ?{_DIVIDED}[ \-]?|{_LETTER}-?){_LAST}"
)
PLATE_BY_REGION = (
    rf"(?:{REGION} ?(?:[0-9]{{1,2}} ?{_LETTER}|[가-힣]{{2,3}} [가나다라마바사아자차카타파하])[ \-]?{_LAST}"
    rf"|(?:임시 ?{REGION}|{REGION} ?임시?) ?[0-9]{{4,6}}(?![0-9\-]){QUANTITY}"
    r"|(?:외교|영사|준외|준영|국기|협정|대표) ?[0-9]{3}-[0-9]{3}(?![0-9]|-[0-9]))"
)
