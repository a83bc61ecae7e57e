"""Every secret option of every installed plugin: nothing that shows its options shows it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_core import Secret, plugins
from pacer_core.config import check
from pacer_core.config.model import AMQP, Config, Processes
from pacer_core.model.secrets import redact
from tests.support import Site

CANARY = "c4n4ry-9f27e1b0-secret"


def _owners() -> Iterator[tuple[str, type]]:
    """Give every class of options that there is, with what has it."""
    found = plugins.load()
    for transport in [AMQP, *dict.fromkeys(found.transports.values())]:
        yield f"broker {transport.protocols[0]}", transport.options
    for name, integration in found.integrations.items():
        yield f"integration {name}", integration.options
    for name, service in found.services.items():
        if service.options is not None:
            yield f"service {name}", service.options
    for name, handler in found.log_handlers.items():
        yield f"log handler {name}", handler.options
    for name, consumer in found.consumers.items():
        if consumer.options is not None:
            yield f"consumer {name}", consumer.options
        for task in consumer.tasks:
            if task.options is not None:
                yield f"task {name}: {task.name}", task.options
    yield "processes", Processes


def _secrets(cls: type, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the places of secrets in a class of options, and in those inside it."""
    for name, hint in get_type_hints(cls).items():
        for one in _parts(hint):
            if one is Secret:
                yield (*path, name)
            elif isinstance(one, type) and attrs.has(one) and len(path) < 4:
                yield from _secrets(one, (*path, name))


def _parts(hint: Any) -> Iterator[Any]:
    if (plain := getattr(hint, "__supertype__", None)) is not None:
        yield from _parts(plain)
    elif get_origin(hint) is None:
        yield hint
    else:
        for one in get_args(hint):
            yield from _parts(one)


OWNERS = dict(_owners())
PLACES = sorted({(owner, path) for owner, cls in OWNERS.items() for path in _secrets(cls)})
WORDS = ("password", "secret", "token", "api_key", "credential", "passphrase", "private_key")


def test_there_are_secrets_to_look_for() -> None:
    assert len(PLACES) >= 12
    assert ("integration icat", ("password",)) in PLACES


@pytest.mark.parametrize("owner", sorted(OWNERS))
def test_what_is_called_as_a_secret_is_one(owner: str) -> None:
    plain = [
        name
        for name, hint in get_type_hints(OWNERS[owner]).items()
        if any(word in name for word in WORDS)
        and any(one is str for one in _parts(hint))
        and not any(one is Secret for one in _parts(hint))
        and not name.endswith(("_file", "_path", "_url"))
    ]
    assert plain == []


@pytest.mark.parametrize(("owner", "path"), PLACES, ids=[f"{o}: {'.'.join(p)}" for o, p in PLACES])
def test_a_secret_is_in_no_repr_and_no_traceback_of_its_options(owner: str, path: tuple[str, ...]) -> None:
    cls = OWNERS[owner]
    for step in path[:-1]:
        cls = next(one for one in _parts(get_type_hints(cls)[step]) if attrs.has(one))
    values = {
        attribute.name: None if attribute.default is attrs.NOTHING else attribute.default
        for attribute in attrs.fields(cls)
    }
    made: Any = object.__new__(cls)  # whatever validators ask for beside it
    for name, value in (values | {path[-1]: Secret(CANARY)}).items():
        object.__setattr__(made, name, value)
    try:
        raise ValueError(f"cannot use {made!r} as {made}")
    except ValueError as error:
        told = "".join(traceback.format_exception(error))
    assert CANARY not in told
    assert CANARY not in f"{attrs.asdict(made, recurse=False)}"


@settings(max_examples=80, deadline=None)
@given(st.text(min_size=8, max_size=30).filter(lambda text: not text.isspace()))
def test_no_secret_is_left_in_what_others_say(text: str) -> None:
    word = f"c4n4ry{text}"
    Secret(word)
    for told in (word, repr(word), json.dumps(word), f"amqp://user:{word}@host", f"<p>{word}</p>"):
        assert word not in redact(told)


CONFIG = """
    brokers: {{main: {{protocol: memory}}}}
    queues: [{{name: datasets}}]
    consumers: [{{type: datasets, queues: [datasets], integrations: [icat]}}]
    integrations:
      icat: {{url: http://127.0.0.1:9, authenticator: db, username: pacer, password: {canary}}}
    processes: {{signingKeys: [{canary}]}}
"""


def test_no_view_of_a_configuration_shows_one(site: Site) -> None:
    file = site.write(CONFIG.format(canary=CANARY))
    config, problems = check(file)
    assert isinstance(config, Config), problems
    for command in (
        ("config", "check"),
        ("config", "check", "--json"),
        ("config", "show"),
        ("config", "show", "--json"),
        ("config", "graph"),
        ("config", "graph", "-f", "svg"),
        ("doctor", "--timeout", "5"),
        ("doctor", "--json", "--timeout", "5"),
    ):
        done = site.pacer(*command, "-c", file)
        assert CANARY not in done.both, command
    assert CANARY not in repr(config)


def test_a_plugin_that_breaks_on_its_options_tells_no_secret(site: Site) -> None:
    site.install(
        "acme-vault",
        """
        from attrs import frozen
        from contextlib import contextmanager
        from pacer_core import ConsumerType, IntegrationType, Secret, hookimpl, task

        @frozen
        class VaultOptions:
            token: Secret

        @contextmanager
        def open_vault(options):
            raise RuntimeError("no way in with " + options.token.reveal())
            yield

        def check(client):
            pass

        VAULT = IntegrationType(name="vault", options=VaultOptions, open=open_vault, check=check)

        @frozen
        class Box:
            name: str

        @task(needs=[VAULT])
        def put(box, ctx):
            ctx[VAULT]

        @hookimpl
        def pacer_integrations():
            return [VAULT]

        @hookimpl
        def pacer_consumers():
            yield ConsumerType(name="boxes", message=Box, tasks=[put])
        """,
    )
    file = site.write(f"""
        brokers: {{main: {{protocol: sqlite, path: {site.folder}/b.db}}}}
        queues: [{{name: boxes}}]
        consumers: [{{type: boxes, queues: [boxes], integrations: [vault], retries: {{limit: 0}}}}]
        integrations: {{vault: {{token: {CANARY}}}}}
        health: {{enabled: false}}
    """)
    done = site.pacer("doctor", "-c", file)
    assert done.code == 69
    assert "no way in with ***" in done.both
    body = site.write('{"name": "a"}', "a.json")
    said: Mapping[str, str] = {
        "send": site.pacer("send", "-c", file, "-n", "boxes", body).both,
        "run": site.pacer("run", "--once", "-c", file).both,
        "plan": site.pacer("plan", "-c", file, body).both,
        "waiting": site.pacer("waiting", "list", "-c", file).both,
        "dead": site.pacer("dead", "list", "--json", "-c", file).both,
        "status": site.pacer("status", "-c", file).both,
    }
    assert {name: text for name, text in said.items() if CANARY in text} == {}
