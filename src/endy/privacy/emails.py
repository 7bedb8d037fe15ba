"""E-mail addresses, also with Korean names and spaced-out at signs."""

import re

_LOCAL = r"A-Za-z0-9._+\-"
_DOMAIN = r"(?:[A-Za-z0-9가-힣\-]{1,63}\.){1,5}(?:[A-Za-z]{2,24}|한국)"

EMAIL = re.compile(
    # A repository is no mailbox, and icon@2x.png no address.
    rf"(?:(?<![{_LOCAL}])[{_LOCAL}]++|(?<![{_LOCAL}가-힣])[{_LOCAL}가-힣]++(?<=[가-힣]))"
    rf"(?!(?<=\bgit)@[^\s:]{{1,80}}:)(?:@(?![0-9]x\.){_DOMAIN}| @ {_DOMAIN})"
)
