"""Numbers that only a word beside them tells apart: named personal data, and numbers named as something else."""

import re

from endy.privacy.findings import Kind
from endy.privacy.money import ACCOUNT_DIGITS, DATE
from endy.privacy.parts import END, GAP, QUANTITY
from endy.privacy.telephones import SHORT

# The label of what was masked names nothing behind it, hence no "]" in between.
_NEAR = r"[^0-9@\]\n]{0,12}"
_GLUE = r"[\"']?(?:은|는|이|가|을|를)? ?[:=#(\[_\-\"']{0,3} ?[\"']?"

# The words come first and as they are, without classes or options: then the search runs from word to word.
_EMPLOYEE = (
    r"(?:사번|사원번호|사원 번호|직원번호|직원 번호|employee|Employee|EMPLOYEE|emp|Emp|EMP)"
    r"(?:[ _\-]?(?:id|ID|Id|no|NO|No|number)\.?)?"
    rf"{_GLUE}(?P<number>[A-Z]{{0,2}}[0-9]{{5,10}}|(?:19|20)[0-9]{{2}}-[0-9]{{3,4}})(?![0-9A-Za-z]|-[0-9]){QUANTITY}"
)
_PHONE = (
    r"(?:전화|연락처|콜센터|고객센터|대표번호|핸드폰|휴대폰|tel|Tel|TEL|phone|Phone|PHONE|mobile|Mobile|HP|H\.P)"
    rf"{_NEAR}+(?P<number>(?:{SHORT}|10{GAP}[0-9]{{4}}){GAP}[0-9]{{4}}){END}{QUANTITY}"
)
_RESIDENT = (
    r"(?:주민번호|주민등록|외국인등록|외국인번호)"
    rf"{_NEAR}+(?P<number>[0-9]{{6}}[ .\-]{{0,3}}[0-9] ?[0-9]{{6}}){END}"
)
_PASSPORT = (
    rf"(?:여권|passport|Passport|PASSPORT){_NEAR}?(?<![A-Za-z])"
    r"(?P<number>[A-Za-z]{1,2}[ \-]?[0-9]{7,8}|[A-Za-z][ \-]?[0-9]{3}[A-Za-z][0-9]{4})(?![0-9A-Za-z])"
)
_LICENCE = rf"면허{_NEAR}+(?P<number>[0-9]{{2}}{GAP}[0-9]{{2}}{GAP}[0-9]{{6}}{GAP}[0-9]{{2}}){END}"
_CARD = rf"(?:카드|card|Card|CARD){_NEAR}+(?P<number>[0-9]{{4}}{GAP}[0-9]{{4}}{GAP}[0-9]{{4}}{GAP}[0-9]{{4}}){END}"
_PLATE = (
    rf"(?:차량|주차|차번호|차 번호|번호판|자차|승차|렌터카|법인차){_NEAR}+"
    rf"(?P<number>[0-9]{{2,3}} ?[가-힣][ \-]?[0-9]{{4}}){END}{QUANTITY}"
)
_BANKS = "은행|뱅크|금고|우체국|농협|수협|신협|신한"
_ACCOUNT = (
    rf"(?:계좌|통장|입금|송금|이체|예금|{_BANKS}|카뱅|케뱅|account|Account|ACCOUNT|acct|bank|Bank)"
    rf"{_NEAR}+(?P<number>{ACCOUNT_DIGITS}){QUANTITY}"
)
_ACCOUNT_BY_NICKNAME = (
    rf"(?:국민|우리|하나|기업|산업|토스|KB|NH|IBK|SC|씨티) ?:? ?(?P<number>{ACCOUNT_DIGITS}){QUANTITY}"
)
_ACCOUNT_BEFORE = (
    rf"(?=[0-9]{{2}})(?<![0-9A-Za-z])(?<![0-9][.\-])"
    rf"(?P<number>(?!{DATE})(?:[0-9]{{10,14}}|[0-9]{{2,6}}-[0-9]{{2,6}}-[0-9]{{3,8}}(?:-[0-9]{{1,3}})?)){END}"
    rf"(?= ?[(/,]? ?(?:[가-힣A-Za-z]{{0,4}}(?:{_BANKS})|예금주|계좌))"
)

NAMED = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (Kind.EMPLOYEE, _EMPLOYEE),
        (Kind.RESIDENT, _RESIDENT),
        (Kind.CARD, _CARD),
        (Kind.LICENCE, _LICENCE),
        (Kind.PASSPORT, _PASSPORT),
        (Kind.PLATE, _PLATE),
        (Kind.PHONE, _PHONE),
        (Kind.ACCOUNT, _ACCOUNT),
        (Kind.ACCOUNT, _ACCOUNT_BY_NICKNAME),
        (Kind.ACCOUNT, _ACCOUNT_BEFORE),
    )
)

_THINGS = "주문|운송장|송장|문서|접수|관리|상품|거래|승인|예약|티켓|시리얼|일련|자산|발주|견적|계약|전표"
_PROGRAMS_THINGS = (
    "order|Order|invoice|Invoice|tracking|Tracking|serial|Serial|sku|SKU|build|Build|rev|version|barcode|"
    "timestamp|ts|epoch|ISBN|isbn"
)
# Somebody's telephone number stays one, whatever form asks for it.
_REFERENCE = rf"{_GLUE}(?P<number>(?!0[1-8]|[0-9]{{6}}-[1-8])[0-9][0-9\-]{{5,30}})"
OTHERWISE_NAMED = (
    re.compile(rf"(?:{_THINGS}) ?번호{_REFERENCE}"),
    re.compile(rf"(?:바코드|빌드(?:번호)?|버전|{_PROGRAMS_THINGS})(?:[ _\-]?(?:id|ID|no|No|number)\.?)?{_REFERENCE}"),
    re.compile(rf"(?:법인|사업자)(?:등록)?번호{_GLUE}(?P<number>[0-9][0-9\-]{{5,30}})"),
    re.compile(
        r"(?<![0-9A-Za-z\-])(?P<number>[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12})"
        r"(?![0-9A-Za-z\-])"
    ),
)
"""Orders, parcels, companies and ids: what stands there is nobody's."""
