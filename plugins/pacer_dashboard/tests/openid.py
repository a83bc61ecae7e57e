"""An OpenID Connect provider of the tests' own: real HTTP, signed tokens, and it can be told to misbehave.

Each rule names where it is said: Core is OpenID Connect Core 1.0, Discovery is OpenID Connect Discovery 1.0,
Logout is OpenID Connect RP-Initiated Logout 1.0. What a provider does on its login page is its own affair;
this one asks nothing: whoever comes is ``person``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from attrs import define, field, frozen
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "dashboard", "a secret/with +signs"
MISBEHAVIOURS = {
    "wrong nonce": "Core 3.1.3.7, 11: it must be the one that was sent",
    "no nonce": "Core 3.1.3.7, 11: it must be there",
    "wrong audience": "Core 3.1.3.7, 3: the client must be in aud",
    "wrong audience, our azp": "Core 3.1.3.7, 3: azp does not make up for aud",
    "wrong issuer": "Core 3.1.3.7, 2: iss must be the issuer exactly",
    "expired": "Core 3.1.3.7, 9: the time must be before exp",
    "no exp": "Core 2: exp is required",
    "wrong key": "Core 3.1.3.7, 6: the signature must be by the issuer's key",
    "alg none": "Core 3.1.3.7, 6 and 7: not signed at all",
    "signed by the client's secret": "Core 3.1.3.7, 8 with 7: not the algorithm that was registered",
    "no id_token": "Core 3.1.3.3: it must be in the answer",
    "no sub": "Core 2: sub is required",
    "userinfo of somebody else": "Core 5.3.2: sub must be the ID token's",
    "another issuer in the answer": "RFC 9207, 2.4: iss must be the issuer's",
    "access denied": "Core 3.1.2.6: an error instead of a code",
    "token refused": "Core 3.1.3.4: an error instead of tokens",
}


@frozen
class Asked:
    """What a client was led here with; needed again when it fetches its tokens."""

    client: str
    redirect: str
    nonce: str | None
    challenge: str | None


@define
class Provider:
    """The provider; ``person`` is who signs in, as claims."""

    person: dict[str, Any] = field(factory=lambda: {"sub": "1", "preferred_username": "ada", "groups": []})
    groups_in: str = "id_token"
    """Whether groups stand in the ``id_token`` or in the ``userinfo`` alone."""
    misbehaviour: str = ""
    redirects: set[str] = field(factory=set)
    """Addresses that are registered for the client (Core 3.1.2.1: they must match exactly); empty for any."""
    codes: dict[str, Asked] = field(factory=dict)
    tokens: dict[str, str] = field(factory=dict)
    refused: list[str] = field(factory=list)
    ended: list[dict[str, str]] = field(factory=list)
    key: RSAKey = field(factory=lambda: RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}))
    _other: RSAKey = field(factory=lambda: RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}))
    _server: Any = None

    def __enter__(self) -> Provider:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._answer(_flat(body.decode()))

            def _answer(self, form: Mapping[str, str]) -> None:
                url = urlsplit(self.path)
                status, headers, body = provider.answer(
                    url.path, _flat(url.query), form, self.headers.get("Authorization", "")
                )
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/realms/lab"

    def behave(self, **person: Any) -> None:
        """Forget what was before a test."""
        self.misbehaviour, self.groups_in = "", "id_token"
        self.person = {"sub": "1", "preferred_username": "ada", "groups": [], **person}
        self.codes.clear(), self.tokens.clear(), self.refused.clear(), self.ended.clear()  # type: ignore[func-returns-value]

    def answer(
        self, path: str, query: Mapping[str, str], form: Mapping[str, str], authorization: str
    ) -> tuple[int, dict[str, str], bytes]:
        match path.removeprefix("/realms/lab"):
            case "/.well-known/openid-configuration":  # Discovery 4
                return _json(200, self._metadata())
            case "/keys":  # Discovery 3, jwks_uri
                return _json(200, {"keys": [self.key.as_dict(private=False)]})
            case "/authorize":
                return self._authorize(query)
            case "/token":
                return self._token(form, authorization)
            case "/userinfo":
                return self._userinfo(authorization)
            case "/logout":  # Logout 2 and 3
                self.ended.append(dict(query))
                back = query["post_logout_redirect_uri"]
                return 302, {"Location": f"{back}?{urlencode({'state': query.get('state', '')})}"}, b""
        return _json(404, {"error": path})

    def _metadata(self) -> dict[str, Any]:
        base = self.issuer
        return {  # Discovery 3
            "issuer": base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "userinfo_endpoint": f"{base}/userinfo",
            "jwks_uri": f"{base}/keys",
            "end_session_endpoint": f"{base}/logout",  # Logout 2.1
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            # HS256 and none stand here as they do at some providers: a client must not take up the offer
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "code_challenge_methods_supported": ["S256"],  # RFC 8414, 2
            "authorization_response_iss_parameter_supported": True,  # RFC 9207, 3
        }

    def _authorize(self, query: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        redirect = query.get("redirect_uri", "")
        if query.get("client_id") != CLIENT or (self.redirects and redirect not in self.redirects):
            return self._refuse(400, "invalid_request", "client_id or redirect_uri")  # RFC 6749, 4.1.2.1
        for needed in ("state", "nonce", "code_challenge"):  # Core 3.1.2.1; RFC 7636, 4.3
            if not query.get(needed):
                return self._refuse(400, "invalid_request", needed)
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            return self._refuse(400, "invalid_request", "response_type or code_challenge_method")
        if "openid" not in query.get("scope", "").split():  # Core 3.1.2.1
            return self._refuse(400, "invalid_scope", "scope")
        answer = {"state": query["state"], "iss": self.issuer}  # RFC 6749, 4.1.2; RFC 9207, 2
        if self.misbehaviour == "another issuer in the answer":
            answer["iss"] = "https://elsewhere.example.org"
        if self.misbehaviour == "access denied":
            answer["error"] = "access_denied"
        else:
            code = answer["code"] = secrets.token_urlsafe(16)
            self.codes[code] = Asked(CLIENT, redirect, query["nonce"], query["code_challenge"])
        return 302, {"Location": f"{redirect}?{urlencode(answer)}"}, b""

    def _token(self, form: Mapping[str, str], authorization: str) -> tuple[int, dict[str, str], bytes]:
        pair = f"{urlencode({'': CLIENT})[1:]}:{SECRET}".encode()
        if authorization != "Basic " + base64.b64encode(pair).decode():  # Core 9, client_secret_basic
            return self._refuse(401, "invalid_client", "client_secret_basic")
        asked = self.codes.pop(form.get("code", ""), None)  # RFC 6749, 4.1.2: once
        if asked is None or form.get("redirect_uri") != asked.redirect:  # RFC 6749, 4.1.3
            return self._refuse(400, "invalid_grant", "code or redirect_uri")
        hashed = hashlib.sha256(form.get("code_verifier", "").encode()).digest()  # RFC 7636, 4.6
        if base64.urlsafe_b64encode(hashed).rstrip(b"=").decode() != asked.challenge:
            return self._refuse(400, "invalid_grant", "code_verifier")
        if self.misbehaviour == "token refused":
            return _json(400, {"error": "invalid_grant"})
        access = secrets.token_urlsafe(16)
        self.tokens[access] = str(self.person["sub"])
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": 60}  # Core 3.1.3.3
        if self.misbehaviour != "no id_token":
            answer["id_token"] = self._id_token(asked.nonce)
        return _json(200, answer)

    def _id_token(self, nonce: str | None) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "exp": now + 60,
            "iat": now,
            "nonce": nonce,
            **self.person,
        }
        if self.groups_in != "id_token":
            claims.pop("groups", None)
        alg, key = "RS256", self.key
        match self.misbehaviour:
            case "wrong nonce":
                claims["nonce"] = "another"
            case "no nonce":
                del claims["nonce"]
            case "wrong audience":
                claims["aud"] = "another"
            case "wrong audience, our azp":
                claims |= {"aud": ["another"], "azp": CLIENT}
            case "wrong issuer":
                claims["iss"] = "https://elsewhere.example.org"
            case "expired":
                claims |= {"exp": now - 3600, "iat": now - 7200}
            case "no exp":
                del claims["exp"]
            case "no sub":
                del claims["sub"]
            case "wrong key":
                key = self._other
            case "alg none":
                head, body = (_base64(json.dumps(part).encode()) for part in ({"alg": "none"}, claims))
                return f"{head}.{body}."
            case "signed by the client's secret":
                secret = OctKey.import_key(SECRET)
                return jwt.encode({"alg": "HS256", "kid": "k1"}, claims, secret, algorithms=["HS256"])
        return jwt.encode({"alg": alg, "kid": "k1"}, claims, key)

    def _userinfo(self, authorization: str) -> tuple[int, dict[str, str], bytes]:
        subject = self.tokens.get(authorization.removeprefix("Bearer "))
        if subject is None:
            return self._refuse(401, "invalid_token", "access token")  # Core 5.3.3
        other = self.misbehaviour == "userinfo of somebody else"
        return _json(200, {**self.person, "sub": "2" if other else subject})

    def _refuse(self, status: int, error: str, what: str) -> tuple[int, dict[str, str], bytes]:
        self.refused.append(what)
        return _json(status, {"error": error, "error_description": what})


def _flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}


def _json(status: int, body: Any) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
