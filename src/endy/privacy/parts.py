"""Pieces that the patterns share: where a number starts and ends, what may divide it, what makes it a quantity."""

GAP = r"[ .\-]{0,3}"
DIVIDER = r"[ .\-]{1,3}"

START = r"(?<![0-9])(?!(?<=[0-9]\.)[0-9]{7}|(?<=[A-Fa-f])[0-9]{7})"
"""Not inside a number; not the digits after a decimal point, nor those of a hexadecimal id."""
END = r"(?![0-9])(?!(?<=[0-9]{7})[A-Fa-f])"

_SYMBOLS = "%|㎞|㎡|㎏|(?:km|kg|g|m|mm|cm|ml|L|cc|ms|s|px|rpm|B|KB|MB|GB|bytes?|kWh|rows|won|KRW|USD)(?![A-Za-z])"
_COUNTERS = (
    "원|만|억|달러|엔|위안|유로|개|건|명|대|회|배|점|주|장|톤|초|분|시간|년|월|"
    "킬로|포인트|행|줄|자|쪽|페이지|호|권|위|곳"
)
_PARTICLES = (
    "[을를이가은는에의도로만쯤씩]|이나|으로|짜리|정도|까지|부터|이상|이하|미만|이며|이고|입니다|이에요|예요|인데"
)
QUANTITY = rf"(?! ?(?:{_SYMBOLS}|(?:{_COUNTERS})(?:{_PARTICLES})?(?![가-힣])))"
"""Not followed by a unit, with a particle or none: 2024001원 is money and 2024001 대리 is a colleague."""

REGION = "(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주)"
"""As licences and plates name them."""
