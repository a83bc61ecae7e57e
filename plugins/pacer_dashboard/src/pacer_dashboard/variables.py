"""The environment variables: their names and what they mean; the reference page is written from them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from attrs import field, frozen

TRUE, FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@frozen
class Variable:
    """An environment variable; ``default`` as it would be written, empty for none."""

    name: str
    meaning: str
    default: str = ""
    secret: bool = False


DATABASE = (
    Variable(
        "PACER_DASHBOARD_DATABASE", "`postgresql://ACCOUNT@HOST:PORT/DATABASE`, or a folder for SQLite."
    ),
    Variable(
        "POSTGRES_DB", "The database, where `PACER_DASHBOARD_DATABASE` is not set; without both, SQLite."
    ),
    Variable("POSTGRES_USER", "Its account."),
    Variable("POSTGRES_PASSWORD", "Its password.", secret=True),
    Variable("POSTGRES_HOST", "Its server.", "localhost"),
    Variable("POSTGRES_PORT", "Its port.", "5432"),
    Variable("PACER_DASHBOARD_FOLDER", "The folder of SQLite's file.", "dashboard"),
)
"""Where the database is."""
PAGES = (
    Variable("TIME_ZONE", "The time zone of the pages: `Europe/Madrid`.", "UTC"),
    Variable(
        "PACER_DASHBOARD_STATIC", "The folder into which `collectstatic` writes, for a proxy that serves it."
    ),
    Variable(
        "PACER_DASHBOARD_DEBUG", "`true` shows errors with their settings; refused with PostgreSQL.", "false"
    ),
)
"""How the pages look."""
BROKER = (
    Variable("PACER_CONFIG", "PACER's configuration, whose broker sends messages again; or else `RMQ_HOST`."),
    Variable("RMQ_HOST", "The broker's host."),
    Variable("RMQ_PORT", "Its port; that of the protocol, where it is left out."),
    Variable("RMQ_PROTOCOL", "`amqp` or `amqps`.", "amqp"),
    Variable("RMQ_USERNAME", "Its account."),
    Variable("RMQ_PASSWORD", "Its password.", secret=True),
    Variable("RMQ_VHOST", "Its virtual host.", "/"),
)
"""Where messages are sent again."""
WATCHING = (
    Variable(
        "PACER_DASHBOARD_PACERS",
        "Addresses of the health endpoints of PACERs that are watched, with commas. `dns+http://NAME:PORT` "
        "is each host that the name stands for, such as the pods of a headless Service.",
    ),
    Variable("EMAIL_HOST", "The server that takes mail; without it, alerts go to webhooks alone."),
    Variable("EMAIL_PORT", "Its port.", "25"),
    Variable("EMAIL_HOST_USER", "The account there, where it needs one."),
    Variable("EMAIL_HOST_PASSWORD", "Its password.", secret=True),
    Variable("EMAIL_USE_TLS", "Whether STARTTLS is spoken.", "false"),
    Variable("DEFAULT_FROM_EMAIL", "From whom mail is.", "pacer@localhost"),
)
"""The system page, and alerts."""
CHECKS = (
    Variable(
        "INVESTIGATION_CHECK_AT", "When the checks run each day, `04:30`; without it, by the command alone."
    ),
    Variable("ICAT_SERVER_URL", "ICAT, which is asked for investigations."),
    Variable("ICAT_AUTH_PLUGIN", "How one logs in there.", "db"),
    Variable("ICAT_USERNAME", "The account there."),
    Variable("ICAT_PASSWORD", "Its password.", secret=True),
    Variable("PANOSC_API_URL", "PaNOSC's scoring service; without it, its items are not checked."),
    Variable("PANOSC_API_USERNAME", "The account there, where it needs one."),
    Variable("PANOSC_API_PASSWORD", "Its password.", secret=True),
    Variable(
        "INVESTIGATION_CHECK_DAYS", "For how many days after its end an investigation is checked.", "30"
    ),
    Variable(
        "INVESTIGATION_OPS_EXCHANGE",
        "Where operations are sent that are lacking.",
        "investigation-ops-exchange",
    ),
    Variable("INVESTIGATION_OPS_ROUTING_KEY", "With which routing key.", "investigation.ops"),
    Variable("ES_PUBLIC_DATASET_INDEX", "The index of public datasets."),
    Variable("PACER_INTERNAL_DATASET_EXCHANGE", "Where messages about public datasets are sent."),
    Variable("PACER_DATASET_INDEXING_ROUTING_KEY", "With which routing key."),
)
"""What investigation checks and the index of public datasets ask and send."""
VARIABLES = (
    Variable(
        "SECRET_KEY",
        "Signs sessions: 50 random characters or more. Needed with PostgreSQL; with the embedded database "
        "one is made into the file `secret-key` beside it, which only its owner reads.",
        secret=True,
    ),
    Variable(
        "ALLOWED_HOSTS",
        "Names by which browsers reach the dashboard, with commas. Needed with PostgreSQL; `*` is refused. "
        "With the embedded database, this machine's own names.",
    ),
    Variable(
        "SSO_SERVER_URL", "Issuer of the OpenID Connect provider: `https://sso.example.org/realms/facility`."
    ),
    Variable("SSO_CLIENT_ID", "The name under which the provider knows the dashboard."),
    Variable("SSO_CLIENT_SECRET", "The secret that belongs to it.", secret=True),
    Variable("SSO_SCOPES", "Scopes that are asked for, with spaces.", "openid profile email"),
    Variable(
        "SSO_GROUPS_CLAIM",
        "The claim that names groups; dots lead into it, as in `realm_access.roles`.",
        "groups",
    ),
    Variable(
        "DISABLED_AUTH",
        "`true` lets everybody do everything, without a login. Refused unless all is on this machine.",
        "false",
    ),
    Variable(
        "PACER_DASHBOARD_PUBLIC_COUNTS",
        "`true` shows counts of messages, and nothing else, to people who are not signed in.",
        "false",
    ),
    Variable(
        "PACER_DASHBOARD_HTTPS",
        "Whether browsers come by https: cookies are then sent by https alone. With PostgreSQL `true`.",
        "true",
    ),
    Variable(
        "PACER_DASHBOARD_HSTS_SECONDS", "For how long browsers shall insist on https; 0 says nothing.", "0"
    ),
    Variable(
        "PACER_DASHBOARD_TRUSTED_PROXIES",
        "Addresses or networks of reverse proxies, with commas, whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed. What others say in these is dropped.",
    ),
    Variable("FORCE_SCRIPT_NAME", "The path below which a proxy shows the dashboard: `/pacer-dashboard`."),
    Variable(
        "PACER_DASHBOARD_SESSION_HOURS",
        "After how many hours one has to sign in again, and the provider's groups are read anew.",
        "12",
    ),
)
"""Who may come in, and how."""
SECTIONS = {
    "Access": VARIABLES,
    "Database": DATABASE,
    "Pages": PAGES,
    "Sending again": BROKER,
    "System and alerts": WATCHING,
    "Checks": CHECKS,
}
"""All variables, by what they are about."""
_DEFAULTS = {one.name: one.default for one in VARIABLES}


@frozen
class Reader:
    """Reads variables; what cannot be read is kept in ``unreadable``, to be said all together."""

    environ: Mapping[str, str]
    unreadable: list[str] = field(factory=list)

    def text(self, name: str) -> str:
        """Give a text without white space around it, or its default."""
        return self.environ.get(name, "").strip() or _DEFAULTS[name]

    def names(self, name: str) -> list[str]:
        """Give the parts between commas."""
        return [one.strip() for one in self.text(name).split(",") if one.strip()]

    def flag(self, name: str, default: bool = False) -> bool:
        """Give yes or no."""
        said = self.environ.get(name, "").strip().lower()
        if said in TRUE:
            return True
        if said not in FALSE:
            self.unreadable.append(f"{name} is {said!r}: write true or false")
        return False if said else default

    def number(self, name: str, problems: list[str]) -> int:
        """Give a whole number that is not negative."""
        said = self.text(name)
        if not said.isascii() or not said.isdigit() or len(said) > 9:
            problems.append(f"{name} is {said!r}: write a whole number")
            return 0
        return int(said)

    def addresses(self, name: str, problems: list[str]) -> list[str]:
        """Give addresses and networks."""
        said = self.names(name)
        for one in said:
            try:
                ipaddress.ip_network(one, strict=False)
            except ValueError:
                problems.append(f"{name} has {one!r}: write addresses (10.0.0.1) or networks (10.0.0.0/8)")
        return said
