"""The API's description: `/openapi.json` for programs, `/docs/` for people, without a script and without the internet."""

import base64
import functools
import hashlib
import json
from collections.abc import Iterable
from html import escape
from typing import Any

from starlette.responses import HTMLResponse, Response

from holdfast.edge import encode
from holdfast.http import Ask, Door, Doors
from holdfast.openapi import document

STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; color: #1d2733; background: #fbfaf7 }
h2 { margin-top: 2.5rem }
section { border-top: 1px solid #cfd6dd; padding: .5rem 0 }
pre { background: #eef1f4; padding: .75rem; overflow-x: auto }
.method { font-weight: 700; display: inline-block; min-width: 4rem }
@media (prefers-color-scheme: dark) {
  body { color: #e4e8ec; background: #14181d }
  pre { background: #20262d }
  section { border-color: #39424c }
  a { color: #9cc4ff }
}
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast API</title>
<style>{style}</style>
</head>
<body>
<h1>Holdfast API</h1>
<p>{description}</p>
<p><a href="/openapi.json">OpenAPI 3.1 document</a></p>
{sections}
</body>
</html>"""

SECTION = """
<section id="{id}">
<h3><span class="method">{method}</span> <code>{path}</code></h3>
<p>{summary} <small>{security}</small></p>
{body}{answers}
</section>"""

DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; style-src 'sha256-{DIGEST}'"
JSON = "application/json"
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}

doors = Doors("", tag="Reference")


class Reference:
    """Made when first asked for."""

    def __init__(self, table: Iterable[Door]) -> None:
        self._table = table

    @functools.cached_property
    def described(self) -> dict[str, Any]:
        return document(self._table)

    @functools.cached_property
    def json(self) -> bytes:
        return encode(self.described)

    @functools.cached_property
    def page(self) -> str:
        paths, shapes = self.described["paths"], self.described["components"]["schemas"]
        requests = [_section(path, method, operation) for path, methods in paths.items() for method, operation in methods.items()]
        schemas = [f"<h3 id='{escape(name)}'>{escape(name)}</h3>{_json(schema)}" for name, schema in shapes.items()]
        text = "<h2>Requests</h2>" + "".join(requests) + "<h2>Shapes</h2>" + "".join(schemas)
        return PAGE.format(style=STYLE, description=escape(self.described["info"]["description"]), sections=text)


@doors.file("/openapi.json")
async def openapi(ask: Ask) -> Response:
    """The OpenAPI 3.1 document."""
    return Response(ask.state.reference.json, media_type=JSON, headers=HEADERS)


@doors.file("/docs/")
async def reference(ask: Ask) -> Response:
    """The same as a page."""
    return HTMLResponse(ask.state.reference.page, headers=HEADERS)


def _section(path: str, method: str, operation: dict[str, Any]) -> str:
    answers = {status: response.get("content", {}).get(JSON, {}).get("schema") for status, response in operation["responses"].items()}
    body = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema")
    return SECTION.format(
        id=escape(operation["operationId"]),
        method=method.upper(),
        path=escape(path),
        summary=escape(operation["summary"]),
        security="" if operation["security"] else "No token needed.",
        body=f"<h4>Body</h4>{_json(body)}" if body else "",
        answers=f"<h4>Answers</h4>{_json(answers)}",
    )


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=1, ensure_ascii=False))}</pre>"
