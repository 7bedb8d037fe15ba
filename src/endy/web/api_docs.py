"""`/docs`: the API as a plain page, made from the OpenAPI document, without scripts from elsewhere."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from endy.web.deps import OPEN
from endy.web.pages import render

router = APIRouter(include_in_schema=False, dependencies=[OPEN])


@router.get("/docs", response_class=HTMLResponse)
async def api_docs(request: Request) -> HTMLResponse:
    document = request.app.openapi()
    return render(request, "docs.html", operations=_operations(document), version=document["info"]["version"])


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "method": method.upper(),
            "path": path,
            "tag": (operation.get("tags") or [""])[0],
            "description": operation.get("description", ""),
            "parameters": [f"{item['name']} ({item['in']})" for item in operation.get("parameters", [])],
        }
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
