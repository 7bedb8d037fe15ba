"""The security headers: what every response carries, and what a page may load and run."""

ANSWER_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""For everything that is no page: whoever opens it in a browser sees text, and nothing of it runs or loads."""

_DEVICES = ("accelerometer", "browsing-topics", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer",
    "microphone", "midi", "payment", "serial", "usb")  # fmt: skip
_ALWAYS = {
    "Content-Security-Policy": ANSWER_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Permitted-Cross-Domain-Policies": "none",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{device}=()" for device in _DEVICES),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HSTS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


def security_headers(production: bool) -> list[tuple[bytes, bytes]]:
    """What a response carries unless it says something else itself."""
    found = _ALWAYS | (_HSTS if production else {})
    return [(name.lower().encode(), value.encode()) for name, value in found.items()]


def page_policy(nonce: str) -> str:
    """For a page: scripts with its nonce, and what they import; styles, images and calls of this site; nothing else."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types sanitised"
    )
