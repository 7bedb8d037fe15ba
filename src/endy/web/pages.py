"""The chat page, and static files addressed by their content so that browsers keep them for good."""

import json
import re
import secrets
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from endy.web.deps import OPEN, SESSION_COOKIE, cookie_name
from endy.web.headers import page_policy

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope

    from endy.settings import Settings

HERE = Path(__file__).parent
STATIC = HERE / "static"
LANGUAGES = ("ko", "en")
THEMES = ("light", "dark")
KEEP_FOREVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"

router = APIRouter(include_in_schema=False, dependencies=[OPEN])


@router.get("/", response_class=HTMLResponse)
async def chat_page(request: Request) -> HTMLResponse:
    settings: Settings = request.app.state.services.settings
    return render(
        request,
        "chat.html",
        login_by=_login_by(settings),
        sso_name=settings.oidc_name if settings.single_sign_on else "",
        anonymous_access=settings.anonymous_access,
    )


@router.get("/set-password", response_class=HTMLResponse)
async def set_password_page(request: Request) -> HTMLResponse:
    """Where one-time links lead; the token is in the fragment and never gets here."""
    return render(request, "set_password.html")


def _login_by(settings: "Settings") -> str:
    if settings.name_login:
        return "name"
    return "password" if settings.password_login else ""


def render(request: Request, template: str, **context: Any) -> HTMLResponse:
    """A page in the language and theme of the visitor's cookies, with `t` for its texts."""
    language = _choice(request, "endy_lang", LANGUAGES) or LANGUAGES[0]
    nonce = secrets.token_urlsafe(16)
    context |= {
        "nonce": nonce,
        "language": language,
        "theme": _choice(request, "endy_theme", THEMES),
        "t": texts(language),
        "has_session": cookie_name(SESSION_COOKIE, request.app.state.services.settings) in request.cookies,
    }
    response = _templates().TemplateResponse(request, template, context)
    response.headers["Cache-Control"] = f"private, {ASK_EACH_TIME}"
    response.headers["Content-Language"] = language
    response.headers["Content-Security-Policy"] = page_policy(nonce)
    return response


def mount_static(app: FastAPI) -> None:
    """Serve `/static/<version>/…`; call it after the routers."""
    app.mount("/static", VersionedFiles(directory=STATIC), name="static")


def static_url(path: str) -> str:
    return f"/static/{static_version()}/{path}"


def static_version() -> str:
    """Twelve hex digits of all static content; read again only when a file's time or size changed."""
    files = sorted(path for path in STATIC.rglob("*") if path.is_file())
    return _hash_of(tuple((path, stat.st_mtime_ns, stat.st_size) for path in files for stat in [path.stat()]))


@lru_cache(maxsize=1)
def _hash_of(files: tuple[tuple[Path, int, int], ...]) -> str:
    digest = sha256()
    for path, _, _ in files:
        digest.update(path.relative_to(STATIC).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class VersionedFiles(StaticFiles):
    """The version is a folder of the address, so modules that import each other relatively stay together."""

    async def get_response(self, path: str, scope: "Scope") -> "Response":
        version, _, rest = path.partition("/")
        versioned = re.fullmatch(r"[0-9a-f]{12}", version) is not None
        response = await super().get_response(rest if versioned else path, scope)
        # During a rolling upgrade an older page may get the newer file: it must not keep it under the old name.
        current = versioned and version == static_version()
        response.headers["Cache-Control"] = KEEP_FOREVER if current else ASK_EACH_TIME
        return response


def texts(language: str) -> dict[str, str]:
    path = STATIC / "strings" / f"{language}.json"
    return _read_texts(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2 * len(LANGUAGES))
def _read_texts(path: Path, _modified: int) -> dict[str, str]:
    loaded: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def modules(*folders: str) -> list[str]:
    """The scripts of a page, so that the browser fetches them at once instead of import by import."""
    paths = (path for folder in folders for path in (STATIC / "js" / folder).glob("*.js"))
    return sorted(path.relative_to(STATIC).as_posix() for path in paths)


@lru_cache(maxsize=1)
def _templates() -> Jinja2Templates:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    environment.globals |= {"static": static_url, "modules": modules}
    return Jinja2Templates(env=environment)


def _choice(request: Request, cookie: str, allowed: tuple[str, ...]) -> str:
    value = request.cookies.get(cookie, "")
    return value if value in allowed else ""
