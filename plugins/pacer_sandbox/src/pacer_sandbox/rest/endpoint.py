"""The REST endpoint: paths, parameters and statuses."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import orjson
from attrs import frozen

from pacer_sandbox import writes
from pacer_sandbox.beans import Bean
from pacer_sandbox.catalogue import Catalogue
from pacer_sandbox.errors import HTTP_STATUS, IcatError
from pacer_sandbox.misbehave import AwayError, LostError
from pacer_sandbox.rest.output import JsonWriter
from pacer_sandbox.rest.reading import BROKEN, BreakdownError, whole
from pacer_sandbox.rest.writing import write
from pacer_sandbox.sessions import KEYS

Answer = tuple[int, str, bytes]
_log = logging.getLogger(__name__)
_NOT_IMPLEMENTED = IcatError("NOT_IMPLEMENTED", "Operation not implemented by this ICAT server.")


@frozen
class _Call:
    """One request: parameters of the query string (GET, DELETE) or of the form (POST, PUT), and the path."""

    parameters: Mapping[str, str]
    path: tuple[str, ...]

    def get(self, name: str) -> str | None:
        return self.parameters.get(name)


class RestEndpoint:
    """Answers ICAT's REST interface, without export, import, cloning and full-text search."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._json = JsonWriter(catalogue.schema, catalogue.zone)
        self._routes: list[tuple[str, re.Pattern[str], str, Callable[[_Call], Any]]] = [
            (method, re.compile(pattern), operation, handler)
            for method, pattern, operation, handler in (
                ("POST", r"session", "login", self._login),
                ("GET", r"session/([^/]+)", "getUserName", self._session),
                ("PUT", r"session/([^/]+)", "refresh", self._refresh),
                ("DELETE", r"session/([^/]+)", "logout", self._logout),
                ("GET", r"entityManager", "search", self._search),
                ("POST", r"entityManager", "write", self._write),
                ("DELETE", r"entityManager", "deleteMany", self._delete),
                ("GET", r"version", "getVersion", self._version),
                ("GET", r"properties", "getProperties", self._properties),
                ("GET", r"user/(.+)", "isLoggedIn", self._is_logged_in),
                ("GET", r"jpql", "search", self._jpql),
                ("GET", r"lucene/data", "search", self._lucene),
                ("GET", r"search/documents", "search", self._documents),
            )
        ]

    def answer(self, environ: Mapping[str, Any], path: str) -> Answer:
        """Do what a request asks. Raises LostError and AwayError for the server to act on."""
        try:
            return self._answer(environ, path)
        except IcatError as exc:
            told: dict[str, object] = {"code": exc.type, "message": exc.message}
            if exc.offset >= 0:
                told["offset"] = exc.offset
            return HTTP_STATUS[exc.type], "application/json", orjson.dumps(told)
        except BreakdownError:
            return 500, "application/json", orjson.dumps({"code": "INTERNAL", "message": BROKEN})
        except (LostError, AwayError):
            raise
        except Exception as exc:  # a fault of the sandbox itself: the client is to see one, too
            _log.exception("the sandbox failed in a REST call; please report this")
            message = f"{type(exc).__name__} in the sandbox"
            return 500, "application/json", orjson.dumps({"code": "INTERNAL", "message": message})

    def _answer(self, environ: Mapping[str, Any], path: str) -> Answer:
        method = environ["REQUEST_METHOD"]
        for wanted, pattern, operation, handler in self._routes:
            match = pattern.fullmatch(path)
            if match is None or method != wanted:
                continue
            with self._catalogue.logged(operation, "REST"):
                lose = self._catalogue.misbehave.before(operation, "")
                answer = handler(_Call(_parameters(environ, method), match.groups()))
                if lose:
                    raise LostError
            if answer is None:
                return 204, "", b""
            if isinstance(answer, str):
                return 200, "text/plain; charset=utf-8", answer.encode()
            return 200, "application/json", orjson.dumps(answer)
        raise _NOT_IMPLEMENTED

    def _login(self, call: _Call) -> Any:
        text = call.get("json")
        if text is None:
            raise IcatError("BAD_PARAMETER", "json must not be null")
        try:
            told = _parsed(text)
        except ValueError as exc:
            message = f"class jakarta.json.stream.JsonParsingException {exc}"
            raise IcatError("INTERNAL", message) from exc
        told = told if isinstance(told, dict) else {}
        credentials = told.get("credentials")
        given = {
            key: value
            for entry in (credentials if isinstance(credentials, list) else ())
            if isinstance(entry, dict)
            for key, value in entry.items()
            if isinstance(value, str)
        }
        plugin = told.get("plugin")
        user = self._catalogue.accounts.user(plugin if isinstance(plugin, str) else None, given)
        return {"sessionId": self._catalogue.sessions.open(user)}

    def _session(self, call: _Call) -> Any:
        sessions = self._catalogue.sessions
        key = call.path[0]
        return {"userName": sessions.user(key), "remainingMinutes": sessions.remaining_minutes(key)}

    def _refresh(self, call: _Call) -> Any:
        self._catalogue.sessions.refresh(call.path[0])

    def _logout(self, call: _Call) -> Any:
        self._catalogue.sessions.close(call.path[0])

    def _search(self, call: _Call) -> Any:
        text, key = call.get("query"), call.get("id")
        if key is not None and not re.fullmatch(r"[+-]?\d+", key):
            raise _NOT_IMPLEMENTED
        if text is None:
            raise IcatError("BAD_PARAMETER", "query is not set")
        caller = self._catalogue.caller(call.get("sessionId"))
        if key is not None:
            name, record = self._catalogue.get(caller, text, int(key))
            return {name: self._json.record(self._catalogue.schema[name], record)}
        result = self._catalogue.search(caller, text)
        return self._json.rows(result.columns, result.rows)

    def _write(self, call: _Call) -> Any:
        caller = self._catalogue.caller(call.get("sessionId"))
        text = call.get("entities")
        if text is None:
            raise IcatError("BAD_PARAMETER", "entities is not set")
        try:
            told = _structure(text)
        except ValueError as exc:
            raise IcatError("BAD_PARAMETER", f"{exc} in json {text}", 0) from exc
        return write(caller, told)

    def _delete(self, call: _Call) -> Any:
        text = call.get("entities")
        if text is None:
            raise IcatError("BAD_PARAMETER", "entities is not set")
        try:
            told = _structure(text)
        except ValueError as exc:
            raise IcatError("BAD_PARAMETER", f"{exc} in json {text}") from exc
        entities = told if isinstance(told, list) else [told]
        beans = [self._named(one, offset) for offset, one in enumerate(entities)]
        writes.delete_many(self._catalogue.caller(call.get("sessionId")), beans)

    def _named(self, told: Any, offset: int) -> Bean:
        if not isinstance(told, dict):
            raise BreakdownError
        if len(told) != 1:
            message = f"entity must have one keyword followed by its values in json {told}"
            raise IcatError("BAD_PARAMETER", message, offset)
        ((name, contents),) = told.items()
        if name not in self._catalogue.schema:
            raise IcatError("BAD_PARAMETER", f"{name} is not an ICAT entity")
        if not isinstance(contents, dict):
            raise BreakdownError
        if any(key != "id" for key in contents):
            message = f"entity must have only the id value specified in json {told}"
            raise IcatError("BAD_PARAMETER", message, offset)
        if "id" not in contents:
            message = f"entity must have the id value specified in json {told}"
            raise IcatError("BAD_PARAMETER", message, offset)
        return Bean(self._catalogue.schema[name], whole(contents["id"]))

    def _version(self, call: _Call) -> Any:
        return {"version": self._catalogue.schema.version}

    def _properties(self, call: _Call) -> Any:
        return {
            "maxEntities": self._catalogue.max_entities,
            "lifetimeMinutes": int(self._catalogue.sessions.lifetime // 60),
            "authenticators": [
                {
                    "mnemonic": name,
                    "keys": [
                        {"name": key, "hide": True} if key == "password" else {"name": key}
                        for key in KEYS[name]
                    ],
                }
                for name in self._catalogue.accounts.authenticators
            ],
            "containerType": "Glassfish",
        }

    def _is_logged_in(self, call: _Call) -> Any:
        return {"loggedIn": self._catalogue.sessions.logged_in(call.path[0])}

    def _jpql(self, call: _Call) -> Any:
        caller = self._catalogue.caller(call.get("sessionId"))
        if caller.user not in caller.root_users:
            raise IcatError("INSUFFICIENT_PRIVILEGES", "user must be in rootUserNames")
        text, limit = call.get("query"), int(call.get("max") or 5)
        if text is None:
            raise IcatError("BAD_PARAMETER", "query is not set")
        result = self._catalogue.search(caller, text)
        shown = [", ".join(map(_shown, result.columns, row)) for row in result.rows[:limit]]
        count = "at least 5" if len(shown) == limit else str(len(shown))
        return f"Count {count}" + (f": {', '.join(shown)}" if shown else "")

    def _lucene(self, call: _Call) -> Any:
        self._asked(call)
        return []

    def _documents(self, call: _Call) -> Any:
        self._asked(call)
        return {"results": []}

    def _asked(self, call: _Call) -> None:
        """Check a full-text search as far as a server without a search engine does."""
        if call.get("query") is None:
            raise IcatError("BAD_PARAMETER", "query is not set")
        self._catalogue.caller(call.get("sessionId"))


def _shown(kind: str, value: object) -> str:
    return f"{kind}:{value['id']}" if isinstance(value, Mapping) else str(value)


def _parameters(environ: Mapping[str, Any], method: str) -> dict[str, str]:
    text = environ.get("QUERY_STRING", "")
    if method in ("POST", "PUT"):
        text = environ["wsgi.input"].read().decode("utf-8", "replace")
    return dict(parse_qsl(text, keep_blank_values=True))


def _parsed(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_constant=_no_constant)


def _structure(text: str) -> Any:
    told = _parsed(text)
    if not isinstance(told, dict | list):
        raise ValueError("an object or an array is expected")
    return told


def _no_constant(name: str) -> Any:
    raise ValueError(f"Unexpected char in {name}")
