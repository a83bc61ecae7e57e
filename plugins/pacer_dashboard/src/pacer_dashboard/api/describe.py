"""The API's description: as OpenAPI for programs, and as a page for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from pacer_dashboard.api.application import schema


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """Give the description; it says nothing that is not in the source, so everybody may read it."""
    return JsonResponse(schema())


@require_safe
def description(request: HttpRequest) -> HttpResponse:
    """Show the description as a page."""
    described = schema()
    page = {"info": described["info"], "operations": list(operations(described))}
    return render(request, "pacer_dashboard/api/description.html", page)


def operations(described: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give each operation of a description, in its order: method, path, texts and parameters."""
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            yield {
                "method": method.upper(),
                "path": path,
                "summary": one.get("summary", ""),
                "description": one.get("description", ""),
                "parameters": [
                    {
                        "name": parameter["name"],
                        "where": parameter["in"],
                        "required": parameter.get("required", False),
                        "description": parameter.get("description")
                        or parameter["schema"].get("description", ""),
                    }
                    for parameter in one.get("parameters", ())
                ],
                "body": list(_fields(body, described)),
            }


def _fields(schema_: Mapping[str, Any], described: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if reference := schema_.get("$ref"):
        schema_ = described["components"]["schemas"][reference.rpartition("/")[2]]
    for name, field in schema_.get("properties", {}).items():
        yield {
            "name": name,
            "required": name in schema_.get("required", ()),
            "description": field.get("description", ""),
        }
