"""``integrations:`` and ``logging:``."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from pacer_migrate.old import Old
from pacer_migrate.rules import (
    Rule,
    Work,
    below,
    hidden,
    keep,
    left_out,
    named,
    new,
    reshaped,
    silently,
    within,
)
from pacer_migrate.settings import Settings, moved
from pacer_migrate.tree import Branch, Entry, Node, node, plain, scalar

_SWITCH = silently("consumers say which integrations they use")
_DATACITE = {"https://api.datacite.org": "production", "https://api.test.datacite.org": "test"}
_BYTES = 10_000
"""From so many on, ``maxMBytes`` was meant in bytes, as ICAT-PACER takes it."""


def integrations(old: Old, settings: Settings, work: Work) -> Rule:
    """Give the rule of ``integrations:``."""
    makers = {
        "icat": _icat,
        "visa": _visa,
        "dashboard": _dashboard,
        "datacite": _datacite,
        "panosc": _panosc,
        "icatPlus": _icat_plus,
        "elastic": _elastic,
    }

    def one(name: str) -> Rule:
        def rule(entry: Entry) -> list[Entry] | str:
            if not isinstance(entry.value, Branch) or entry.value.is_list:
                return [entry]
            if not old.enabled(name):
                return "it is switched off"
            what = f"integrations.{name}."
            rules = {"enabled": _SWITCH, **makers[name](old, work, what)}
            entry.value = reshaped(entry.value, rules, work, what)
            added = _added(name, entry.value, old, settings, work)
            entry.value.entries += added
            return [entry]

        return rule

    rules: dict[str, Rule] = {name: one(name) for name in makers}
    rules["messageForwarding"] = lambda _: "forwarding rules hold for every consumer"

    def section(entry: Entry) -> list[Entry] | str:
        if not isinstance(entry.value, Branch) or entry.value.is_list:
            return [entry]
        # Of a mapping that says nothing, what it is about is said: not that it is empty.
        for inside in entry.value.entries:
            if inside.key == "messageForwarding":
                inside.value = scalar(value="")
        entry.value = reshaped(entry.value, rules, work, "integrations.")
        return [entry]

    return section


def _icat(_: Old, work: Work, what: str) -> dict[str, Rule]:
    server = {
        "url": keep,
        "authPlugin": named("authenticator"),
        "username": keep,
        "password": hidden(work, "icat-password"),
    }
    return {"server": within(server, work, what)}


def _visa(_: Old, work: Work, what: str) -> dict[str, Rule]:
    database = {
        **dict.fromkeys(("host", "port", "database", "username"), keep),
        "user": named("username"),
        "password": hidden(work, "visa-password"),
    }
    return {"database": within(database, work, what)}


def _dashboard(_: Old, __: Work, ___: str) -> dict[str, Rule]:
    return {"exchangeName": named("exchange"), "routingKey": keep, "celeryTask": keep}


def _panosc(_: Old, work: Work, __: str) -> dict[str, Rule]:
    return {
        "apiUrl": named("scoringUrl"),
        "scoringSvcUrl": named("scoringUrl"),
        "searchApiUrl": named("searchUrl"),
        "username": keep,
        "scoringSvcUsername": named("username"),
        "password": hidden(work, "panosc-password"),
        "scoringSvcPassword": hidden(work, "panosc-password", "password"),
    }


def _icat_plus(_: Old, work: Work, what: str) -> dict[str, Rule]:
    return {"server": within({"url": keep, "apiKey": hidden(work, "icatplus-key")}, work, what)}


def _elastic(_: Old, work: Work, __: str) -> dict[str, Rule]:
    return {"url": keep, "username": keep, "password": hidden(work, "elastic-password")}


def _datacite(_: Old, work: Work, __: str) -> dict[str, Rule]:
    def page(entry: Entry) -> list[Entry]:
        base = str(plain(entry.value)).rstrip("/")
        return [Entry("landingPage", scalar(f"{base}/{{doi}}"), entry.line, entry.above, entry.beside)]

    def system(entry: Entry) -> list[Entry]:
        url = str(plain(entry.value)).rstrip("/")
        return [Entry("system", scalar(_DATACITE.get(url, url)), entry.line, entry.above, entry.beside)]

    def suffix(entry: Entry) -> list[Entry]:
        template = f"{plain(entry.value)}-{{name}}-{{hash}}"
        work.changed(entry.line, "new DOIs end in another hash; an investigation that has a DOI keeps it")
        return [Entry("suffix", scalar(template), entry.line, entry.above, entry.beside)]

    def part(of: str, key: str) -> Rule:
        """Give a key inside a mapping that several of them share; `_gathered` puts them together."""
        return named(f"{of}.{key}")

    return {
        "dataCatalogueDoiBaseUrl": page,
        "publisher": part("publisher", "name"),
        "prefix": lambda entry: [
            Entry("prefix", node(str(plain(entry.value))), entry.line, entry.above, entry.beside)
        ],
        "sessionSuffix": suffix,
        "username": named("repository"),
        "password": hidden(work, "datacite-password"),
        "apiUrl": system,
        "language": keep,
        "rightsName": part("rights", "name"),
        "rightsUri": part("rights", "uri"),
        "rightsIdentifier": part("rights", "identifier"),
        "rightsSchemeUri": left_out("identifiers of rights are SPDX's"),
        "rightsIdentifierScheme": left_out("identifiers of rights are SPDX's"),
        "funderName": part("funder", "name"),
        "funderIdentifier": part("funder", "identifier"),
        "funderIdentifierType": part("funder", "identifierType"),
    }


def _gathered(options: Branch) -> None:
    """Put ``rights.name`` and the like into the mappings that they belong to, where the first one stands."""
    made: list[Entry] = []
    for entry in options.entries:
        head, dot, key = entry.key.partition(".")
        if not dot:
            made.append(entry)
            continue
        entry.key = key
        there = next((one for one in made if one.key == head), None)
        if there is None:
            there = Entry(head, Branch(), entry.line)
            made.append(there)
        if isinstance(there.value, Branch):
            there.value.entries.append(entry)
    options.entries = made


def _added(name: str, options: Branch, old: Old, settings: Settings, work: Work) -> list[Entry]:
    """Give what an integration has to be told here, and was not there."""

    def option(key: str, *path: str) -> list[Entry]:
        return moved(settings, work, key, *path)

    if name == "icat":
        work.to_do(
            0, "icat: times without an offset are read in this machine's zone unless timeZone says one"
        )
        return option("facility", "investigation", "defaultFacilityName")
    if name == "visa":
        work.to_do(0, "visa: timeZone has to be filled in; connections are encrypted unless sslMode says not")
        told = "To fill in: the time zone of VISA's server, such as Europe/Madrid."
        return [new("timeZone", scalar("TO FILL IN"), told)]
    if name == "datacite":
        _gathered(options)
        return [Entry("state", scalar("findable"))]
    if name == "panosc":
        return [Entry("pid", scalar("{name}"))]
    if name == "elastic":
        return option("index", "dataset", "datasetElasticIndexName")
    if name == "icatPlus":
        return [*_roots(old, settings, work), *_gallery(settings, work)]
    return []


def _roots(old: Old, settings: Settings, work: Work) -> list[Entry]:
    entry = settings.take("allowedRoots", "dataset", "allowedRootLocationPaths")
    if entry is not None:
        return [entry]
    told = "To fill in: the folders below which a file has to lie to be uploaded."
    work.to_do(
        0, "icatPlus: allowedRoots has to be filled in: ICAT-PACER uploads any file that a message names"
    )
    return [new("allowedRoots", node([]), told)]


def _gallery(settings: Settings, work: Work) -> list[Entry]:
    return [
        *moved(settings, work, "galleryFolder", "dataset", "galleryFolderName"),
        *moved(settings, work, "endings", "dataset", "galleryAcceptedUploadTypes"),
    ]


def logging(old: Old, work: Work) -> Rule:
    """Give the rule of ``logging:``."""

    def megabytes(entry: Entry) -> list[Entry]:
        number = plain(entry.value)
        if isinstance(number, int) and number >= _BYTES:
            entry.value = scalar(max(1, round(number / 1024**2)))
        work.changed(entry.line, "maxMBytes is in MiB, as it says: ICAT-PACER takes it as bytes")
        return [entry]

    def file(entry: Entry) -> list[Entry]:
        rules = {**dict.fromkeys(("enabled", "path", "rotate", "backupCount"), keep), "maxMBytes": megabytes}
        below(rules, work, "logging.")(entry)
        if isinstance(entry.value, Branch) and old.at("logging", "file", "enabled") is True:
            for key, default in (("path", "logs/icat-pacer.log"), ("rotate", False)):
                if entry.value.get(key) is None:
                    work.changed(entry.line, f"logging.file.{key} is written out: it is ICAT-PACER's default")
                    entry.value.entries.append(Entry(key, scalar(default)))
        return [entry]

    def elastic(entry: Entry) -> list[Entry] | str:
        if old.at("logging", "elastic", "enabled") is not True or not isinstance(entry.value, Branch):
            return "it is switched off"
        rules = {
            "enabled": left_out("the log goes there where this section is"),
            "serverUrl": lambda one: _server(one, work),
            "serviceName": left_out("it is pacer"),
            "serviceEnvironment": named("environment"),
            "indexName": named("index"),
        }
        entry.value = reshaped(entry.value, rules, work, "logging.elastic.")
        return [entry]

    rules = {
        "logLevel": keep,
        "printFormat": left_out("the formats are plain and json"),
        "console": below({"enabled": keep}, work, "logging."),
        "file": file,
        "elastic": elastic,
    }
    return below(rules, work, "")


def _server(entry: Entry, work: Work) -> list[Entry]:
    """Give a URL without the account inside it, and the account."""
    url = str(plain(entry.value))
    parts = urlsplit(url)
    if parts.username is None:
        return named("url")(entry)  # type: ignore[return-value] # it never leaves out
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    made: list[tuple[str, Node]] = [("url", scalar(bare)), ("username", scalar(unquote(parts.username)))]
    if parts.password is not None:
        made.append(("password", work.secret("elastic-log-password", unquote(parts.password))))
    entries = [Entry(key, value, entry.line) for key, value in made]
    entries[0].above, entries[0].beside = entry.above, entry.beside
    return entries
