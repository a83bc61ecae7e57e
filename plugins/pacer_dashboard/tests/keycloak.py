"""A private Keycloak 26 with one realm; its distribution, 176 MB, comes from Maven Central."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tarfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tests.services import ServiceMissingError
from tests.services.base import Nest, free_port, program
from tests.services.server import Server

VERSION = "26.7.3"
REALM, CLIENT, SECRET = "lab", "dashboard", "a-secret-of-the-tests"
PERSON, PASSWORD = "ada", "a long pass phrase"
_JVM = {"JAVA_OPTS_KC_HEAP": "-Xmx400m", "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1"}


def distribution() -> Path:
    """Give the folder of the distribution, fetched and built once and kept in the user's cache.

    Raises
    ------
    ServiceMissingError
        Where Java or Maven is not installed, or it cannot be fetched.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "pacer-tests" / f"keycloak-{VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    program("java", package="default-jre-headless")
    half = folder.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:tar.gz"
    goal = ["dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={half}"]
    try:
        subprocess.run(
            [program("mvn", package="maven"), "-q", "-B", *goal], check=True, capture_output=True, timeout=400
        )
    except subprocess.SubprocessError as error:
        raise ServiceMissingError(f"Keycloak cannot be fetched from Maven Central: {error}") from None
    (packed,) = half.glob("*.tar.gz")
    with tarfile.open(packed) as tar:
        tar.extractall(half, filter="data")
    packed.unlink()
    made = half / f"keycloak-{VERSION}"
    build = [str(made / "bin" / "kc.sh"), "build", "--health-enabled=true"]
    subprocess.run(
        build, check=True, capture_output=True, timeout=300, env={**os.environ, "KC_DB": "dev-file"}
    )
    made.rename(folder)
    half.rmdir()


class Keycloak(Server):
    """A Keycloak of one's own, with a client for redirects to ``back`` and a person in groups.

    Raises
    ------
    ServiceMissingError
        Where it cannot be had.
    ServiceFailedError
        Where it does not start.
    """

    name = "Keycloak"
    patience = 300.0

    def __init__(self, back: str, groups: Sequence[str]) -> None:
        made = distribution()
        self.port, self._management = free_port(), free_port()
        super().__init__(Nest("keycloak"))
        self._home = self._nest.folder / "keycloak"
        shutil.copytree(made, self._home, symlinks=True)
        imported = self._home / "data" / "import"
        imported.mkdir(parents=True)
        (imported / "realm.json").write_text(json.dumps(_realm(back, groups)))
        try:
            self.start()
        except BaseException:
            self._nest.close()
            raise

    @property
    def issuer(self) -> str:
        """As its discovery document spells it."""
        return f"http://127.0.0.1:{self.port}/realms/{REALM}"

    def _launch(self) -> subprocess.Popen[bytes]:
        return self._nest.start(
            str(self._home / "bin" / "kc.sh"), "start", "--optimized", "--http-enabled=true",
            "--hostname-strict=false", "--http-host=127.0.0.1", f"--http-port={self.port}",
            f"--http-management-port={self._management}", "--import-realm",
            env={**os.environ, **_JVM}, log="keycloak.log",
        )  # fmt: skip

    def _responds(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._management}/health/ready", timeout=5
            ) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def log(self, lines: int = 100) -> str:
        """Give the last lines of what it has printed."""
        said = (self._nest.folder / "keycloak.log").read_text(errors="replace")
        return "\n".join(said.splitlines()[-lines:])


def _realm(back: str, groups: Sequence[str]) -> dict[str, object]:
    mapper = {
        "name": "groups", "protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper",
        "config": {
            "claim.name": "groups", "full.path": "true",
            "id.token.claim": "true", "userinfo.token.claim": "true",
        },
    }  # fmt: skip
    client = {
        "clientId": CLIENT, "secret": SECRET, "enabled": True,
        "publicClient": False, "standardFlowEnabled": True,
        "redirectUris": [f"{back}/oidc/callback"], "protocolMappers": [mapper],
        "attributes": {
            "pkce.code.challenge.method": "S256", "post.logout.redirect.uris": f"{back}/login",
        },
    }  # fmt: skip
    person = {
        "username": PERSON, "enabled": True, "email": "ada@example.org", "emailVerified": True,
        "firstName": "Ada", "lastName": "Example", "groups": [f"/{group}" for group in groups],
        "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
    }  # fmt: skip
    return {
        "realm": REALM, "enabled": True, "sslRequired": "none", "clients": [client], "users": [person],
        "groups": [{"name": group} for group in groups],
    }  # fmt: skip
