"""Sign-in by OpenID Connect: authorization code with PKCE, by discovery, and the logout at the provider.

authlib keeps state, nonce and code verifier in the session and fetches tokens; what it leaves to its user is
here: that the issuer is the one that was configured, that a token is there at all, is for us and signed by a
key that only the provider has, and what becomes of groups. The provider is asked anew at each login, so that
its keys and addresses may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.django_client import OAuth
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from joserfc.errors import JoseError

from pacer_core import PacerError, redact
from pacer_dashboard.access.configuration import SignIn
from pacer_dashboard.access.grammar import group_name

ASYMMETRIC = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""How an ID token may be signed: not by ``none``, nor by a secret that this side has as well."""
TIMEOUT = 10
"""Seconds for one answer of the provider."""
LEEWAY = 60
"""Seconds by which the provider's clock may be off."""
MOST_GROUPS = 1000
DISCOVERY = ".well-known/openid-configuration"
ID_TOKEN = "pacer_id_token"  # noqa: S105 - a key of the session
"""Where the session keeps the ID token: the provider wants it back at logout."""


class SignInError(PacerError):
    """Nobody was signed in; the text is for who tried, and names nobody."""

    @property
    def reason(self) -> str:
        """Why, for the log: what libraries say of the network and of claims, which names no value."""
        cause = self.__cause__
        told = isinstance(cause, JoseError | requests.RequestException)
        return redact(f"{type(cause).__name__}: {cause}") if told else type(cause).__name__


class Provider:
    """The provider, as it is now."""

    def __init__(self, sign_in: SignIn) -> None:
        """Ask the provider for its addresses.

        Raises
        ------
        SignInError
            Where it is away, or is another one than was configured.
        """
        self.sign_in = sign_in
        client = OAuth()
        self.client = client.register(
            "oidc",
            client_id=sign_in.client,
            client_secret=sign_in.secret,
            server_metadata_url=f"{sign_in.server}/{DISCOVERY}",
            client_kwargs={
                "scope": sign_in.scopes,
                "code_challenge_method": "S256",
                "default_timeout": TIMEOUT,
                "leeway": 0,  # an access token may last a minute, as at Keycloak, and is used at once
            },
        )
        self.metadata = self._metadata()

    def begin(self, request: HttpRequest, here: str) -> HttpResponse:
        """Lead a browser to the provider, from which it comes back to the address ``here``."""
        answer: HttpResponse = self.client.authorize_redirect(request, here)
        return answer

    def finish(self, request: HttpRequest) -> tuple[Mapping[str, Any], str]:
        """Give the claims about who comes back, and their ID token as it was.

        Raises
        ------
        SignInError
            Where the provider refused, or anything about its answer is not as it has to be.
        """
        # RFC 9207, 2.4: an answer that names another issuer is another provider's
        if (named := request.GET.get("iss")) is not None and named != self.metadata["issuer"]:
            raise SignInError("the answer is another provider's: sign in again")
        try:
            token = self.client.authorize_access_token(
                request,
                leeway=LEEWAY,
                claims_options={
                    "iss": {"essential": True, "value": self.metadata["issuer"]},  # Core 3.1.3.7, 2
                    "aud": {"essential": True, "value": self.sign_in.client},  # Core 3.1.3.7, 3
                    "sub": {"essential": True},
                },
            )
            claims = token.get("userinfo")
            if not claims or not isinstance(claims.get("sub"), str) or not claims["sub"]:
                raise SignInError("the provider did not say who signs in (no ID token)")
            return self._completed(dict(claims), token), token["id_token"]
        except AuthlibBaseError as failed:
            raise SignInError(_told(failed)) from failed
        except (JoseError, ValueError, KeyError, TypeError) as failed:
            raise SignInError(
                f"the provider's answer about who signs in is not valid ({type(failed).__name__}): "
                "an administrator finds the reason in the log"
            ) from failed
        except requests.RequestException as failed:
            raise SignInError(_away(failed)) from failed

    def end_session(self, id_token: str, back: str) -> str | None:
        """Give where a browser ends its session at the provider (RP-Initiated Logout 1.0, 2), if anywhere."""
        if not self.metadata.get("end_session_endpoint"):
            return None
        asked = self.client.create_logout_url(
            post_logout_redirect_uri=back, id_token_hint=id_token, client_id=self.sign_in.client
        )
        return str(asked["url"])

    def _completed(self, claims: dict[str, Any], token: dict[str, Any]) -> Mapping[str, Any]:
        """Ask for the groups at the userinfo endpoint where the ID token says nothing about them."""
        lacks = claim(claims, self.sign_in.groups_claim) is None
        if lacks and self.metadata.get("userinfo_endpoint") and token.get("access_token"):
            told = dict(self.client.userinfo(token=token))
            if told.get("sub") != claims["sub"]:  # Core 5.3.2
                raise SignInError("the provider spoke about somebody else: sign in again")
            return told | claims
        return claims

    def _metadata(self) -> Mapping[str, Any]:
        try:
            told: dict[str, Any] = self.client.load_server_metadata()
        except (requests.RequestException, ValueError) as failed:
            raise SignInError(_away(failed)) from failed
        if str(told.get("issuer", "")).rstrip("/") != self.sign_in.server:  # Discovery 4.3
            raise SignInError(
                "the provider says that it is another one than SSO_SERVER_URL names: an administrator has to "
                "write its issuer there, as its discovery document spells it"
            )
        said = told.get("id_token_signing_alg_values_supported") or ["RS256"]
        told["id_token_signing_alg_values_supported"] = [one for one in said if one in ASYMMETRIC]
        return told


def provider() -> Provider:
    """Give the provider that is configured.

    Raises
    ------
    SignInError
        Where none is, or it is away.
    """
    if settings.PACER_SIGN_IN is None:
        raise SignInError("no sign-in service is configured: SSO_SERVER_URL and its companions are not set")
    return Provider(settings.PACER_SIGN_IN)


def groups_in(claims: Mapping[str, Any], path: str) -> list[str]:
    """Give the groups that a claim names: its texts, without the ``/`` in front that Keycloak writes."""
    found = claim(claims, path)
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list):
        return []
    named = [group_name(one) for one in found if isinstance(one, str)]
    return list(dict.fromkeys(one for one in named if one))[:MOST_GROUPS]


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """Give a claim by its name, or by a way into it with dots; None where there is none."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _told(failed: AuthlibBaseError) -> str:
    code = getattr(failed, "error", None) or type(failed).__name__
    if code == "mismatching_state":
        return "this login was begun elsewhere, or too long ago: sign in again"
    if code == "access_denied":
        return "the sign-in service did not let you in"
    return f"the provider's answer about who signs in is not valid ({code}): sign in again"


def _away(failed: Exception) -> str:
    return f"the sign-in service cannot be reached ({type(failed).__name__}): try again in a moment"
