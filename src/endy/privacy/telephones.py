"""Telephone numbers: mobile, landline and the short ones of companies, as people write and programs print them."""

from endy.privacy.parts import DIVIDER, END, GAP, QUANTITY

_GAP = r"[ .,\-_/~+]{0,3}"
_COUNTRY = r"(?:\(?(?:\+|00)82\)?|\(82\)|82(?=[ .\-]|10))[ .\-]{0,2}+(?:\(0\)|0)?+[ .\-]?+\(?+"

_MOBILE = "1[016789]"
_LAST_EIGHT = rf"(?:{_GAP}[0-9]{{3,4}}{_GAP}[0-9]{{4}}|(?:{_GAP}[0-9]{{2}}){{4}}|(?:{DIVIDER}[0-9]){{8}}){END}"
_AREA = "(?:2|[3-6][1-5]|60|70|80|50[0-9])"
_LAST_SEVEN = rf"{GAP}[0-9]{{3,4}}{GAP}[0-9]{{4}}{END}"
_FROM_ABROAD = rf"{_COUNTRY}(?:{_MOBILE}\)?{_LAST_EIGHT}|{_AREA}\)?{_LAST_SEVEN})"
_AT_HOME = (
    rf"(?:\(0{_MOBILE}\)|0{_MOBILE}\)?|0 1 [016789]){_LAST_EIGHT}"
    rf"|(?:\(0{_AREA}\)|0{_AREA}\)?){_LAST_SEVEN}"
)

SHORT = (
    "(?:15(?:22|33|44|55|66|77|88|99)|16(?:00|11|22|33|44|55|6[0168]|70|77|88|99)|18(?:00|11|22|33|44|55|66|77|88|99))"
)
# 1600-1830 is an afternoon, 1588.1234 a rate.
_SHORT = (
    rf"(?<![0-9][ .,:\-]){SHORT}(?: ?- ?|\) ?| )(?!(?<=1[68]00-)(?:1[7-9]|2[0-4])[0-5]0(?![0-9]))[0-9]{{4}}"
    rf"(?![ .,:\-]?[0-9]){QUANTITY}"
)
# Tables drop the first zero. Round numbers of that length are amounts, as is 2 to the 30th.
_WITHOUT_ZERO = rf"(?<![A-Za-z_.,\-])(?!10[0-9]{{5}}000|1073741824)10[0-9]{{8}}(?![A-Za-z]|[.,][0-9]){END}{QUANTITY}"

TELEPHONE = f"(?=[0+(]|82|1[0568])(?:{_AT_HOME}|{_FROM_ABROAD}|{_SHORT}|{_WITHOUT_ZERO})"
