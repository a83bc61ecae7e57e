"""The description of the HTTP interface, as OpenAPI 3.1 has it."""

from __future__ import annotations

from typing import Any

from pacer_pacifica.jobs import MOVE, STATUSES, UPLOAD
from pacer_pacifica.service.version import VERSION

Json = dict[str, Any]


def description() -> Json:
    """Give the description: Pacifica's protocol, PACER's own API, and tus."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PACER: bundles over HTTP",
            "version": VERSION,
            "description": "Uploads of data and metadata, each of which becomes a job.",
        },
        "security": [{"token": []}, {"proxy": []}],
        "paths": {**_of_pacifica(), **_of_jobs(), **_of_uploads()},
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "proxy": {"type": "apiKey", "in": "header", "name": "X-Http-Authed-User"},
            },
            "schemas": {
                "PacificaJob": _PACIFICA_JOB,
                "PacificaError": _object(status=_TEXT, message=_TEXT, traceback=_TEXT, version=_TEXT),
                "Job": _JOB,
                "Stage": _STAGE,
                "Problem": _object(title=_TEXT, status=_WHOLE, detail=_TEXT),
            },
        },
    }


def _object(**properties: Json) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT: Json = {"type": "string"}
_WHOLE: Json = {"type": "integer"}
_TRUTH: Json = {"type": "boolean"}
_TIME: Json = {"type": "string", "format": "date-time"}
_PERCENT: Json = {"type": "number", "minimum": 0, "maximum": 100}

_PACIFICA_JOB = _object(
    job_id={"type": ["integer", "null"]},
    state={"type": "string", "examples": ["OK", "FAILED"]},
    task={"type": "string", "examples": ["UPLOADING", "ingest files", "ingest metadata"]},
    task_percent={"type": "string", "pattern": r"^\d+\.\d{5}$"},
    complete=_TRUTH,
    updated={"type": "string", "description": "UTC, without saying so"},
    created={"type": "string", "description": "UTC, without saying so"},
    exception=_TEXT,
)
_STAGE = _object(
    attempt=_WHOLE,
    task=_TEXT,
    percent=_PERCENT,
    tries=_WHOLE,
    started=_TIME,
    ended={"type": ["string", "null"], "format": "date-time"},
    exception=_TEXT,
)
_JOB = _object(
    status={"type": "string", "enum": list(STATUSES)},
    id=_WHOLE,
    kind={"type": "string", "enum": [UPLOAD, MOVE]},
    state=_TEXT,
    task=_TEXT,
    percent=_PERCENT,
    complete=_TRUTH,
    exception=_TEXT,
    waits_for=_TEXT,
    cancelled=_TRUTH,
    user=_TEXT,
    size=_WHOLE,
    attempt=_WHOLE,
    revision=_WHOLE,
    created=_TIME,
    updated=_TIME,
)


def _answer(about: str, schema: Json | None = None, media: str = "application/json") -> Json:
    content = {} if schema is None else {"content": {media: {"schema": schema}}}
    return {"description": about, **content}


def _operation(id_: str, summary: str, answer: Json, *, status: int = 200, error: Json, **more: Any) -> Json:
    return {
        "operationId": id_,
        "summary": summary,
        "responses": {str(status): answer, "default": error},
        **more,
    }


def _query(name: str, schema: Json, about: str, *, required: bool = False) -> Json:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": about}


def _header(name: str, schema: Json, *, required: bool = True) -> Json:
    return {"name": name, "in": "header", "required": required, "schema": schema}


def _in_path(name: str, schema: Json) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _of_pacifica() -> Json:
    error = _answer("what is wrong", _ref("PacificaError"))
    job = _answer("the job", _ref("PacificaJob"))
    bundle = {"required": True, "content": {"application/octet-stream": {"schema": {"format": "binary"}}}}
    files = {"required": True, "content": {"application/json": {"schema": {"type": "array"}}}}
    up = _answer("it is", _object(message=_TEXT))
    asked = [_query("job_id", _WHOLE, "the job", required=True)]
    return {
        "/": {"get": _operation("up", "Say that the service is up", up, error=error, security=[])},
        "/upload": {"post": _operation("upload", "Upload a bundle", job, error=error, requestBody=bundle)},
        "/ingest": {"post": _operation("ingest", "The same", job, error=error, requestBody=bundle)},
        "/move": {"post": _operation("move", "Have files moved", job, error=error, requestBody=files)},
        "/get_state": {"get": _operation("getState", "Give a job", job, error=error, parameters=asked)},
    }


def _of_jobs() -> Json:
    error = _answer("what is wrong", _ref("Problem"), "application/problem+json")
    job = _answer("the job", _ref("Job"))
    listed = _object(jobs={"type": "array", "items": _ref("Job")}, before={"type": ["integer", "null"]})
    of_one = {
        **_JOB,
        "properties": {**_JOB["properties"], "stages": {"type": "array", "items": _ref("Stage")}},
    }
    filters = [
        _query("status", {"type": "string", "enum": list(STATUSES)}, "jobs of this status"),
        _query("kind", {"type": "string", "enum": [UPLOAD, MOVE]}, "jobs of this kind"),
        _query("user", _TEXT, "jobs of this user; others' are for administrators"),
        _query("before", _WHOLE, "jobs with a lower number: the page after one is behind its `before`"),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "how many"),
    ]
    one = "/api/v1/jobs/{job_id}"
    named = {"parameters": [_in_path("job_id", _WHOLE)]}
    with_stages = _answer("the job, with its stages", of_one)
    stream = _answer("server-sent events `job`, each with a Job as its data", _TEXT, "text/event-stream")
    seen = [_header("Last-Event-ID", _WHOLE, required=False)]
    anything = _answer("this description", {"type": "object"})
    return {
        "/api/v1/jobs": {
            "get": _operation(
                "jobs",
                "List jobs, the newest first",
                _answer("them", listed),
                error=error,
                parameters=filters,
            )
        },
        one: {**named, "get": _operation("job", "Give a job", with_stages, error=error)},
        f"{one}/events": {
            **named,
            "get": _operation("events", "Tell of its changes", stream, error=error, parameters=seen),
        },
        f"{one}/cancel": {**named, "post": _operation("cancel", "End a job", job, error=error)},
        f"{one}/retry": {**named, "post": _operation("retry", "Try a job again", job, error=error)},
        "/api/v1/openapi.json": {
            "get": _operation("openapi", "Describe this", anything, error=error, security=[])
        },
    }


def _of_uploads() -> Json:
    error = _answer("what is wrong", _ref("Problem"), "application/problem+json")
    version = _header("Tus-Resumable", {"const": "1.0.0"})
    about = {"url": "https://tus.io/protocols/resumable-upload", "description": "tus 1.0.0"}
    part = {
        "required": True,
        "content": {"application/offset+octet-stream": {"schema": {"format": "binary"}}},
    }
    named = {"parameters": [_in_path("upload", _TEXT)]}
    begin = [version, _header("Upload-Length", _WHOLE), _header("Upload-Metadata", _TEXT, required=False)]
    further = [version, _header("Upload-Offset", _WHOLE), _header("Upload-Checksum", _TEXT, required=False)]

    def tus(id_: str, summary: str, status: int, **more: Any) -> Json:
        return _operation(
            id_, summary, _answer("done"), status=status, error=error, externalDocs=about, **more
        )

    return {
        "/api/v1/uploads": {
            "options": tus("tus", "Say what of tus is there", 204, security=[]),
            "post": tus("begin", "Begin an upload", 201, parameters=begin),
        },
        "/api/v1/uploads/{upload}": {
            **named,
            "options": tus("tusOfOne", "The same", 204, security=[]),
            "head": tus("offset", "Say how much is there", 200, parameters=[version]),
            "patch": tus("append", "Send further bytes", 204, parameters=further, requestBody=part),
            "delete": tus("giveUp", "Take an upload away", 204, parameters=[version]),
        },
    }
