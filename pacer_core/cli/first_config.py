"""A first configuration, out of what the installed plugins need, with their own words as comments."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_type_hints

import attrs
from attrs import define, field, frozen

from pacer_core.config.schema import words_of
from pacer_core.config.sections import camel
from pacer_core.model.consumers import ConsumerType
from pacer_core.model.integrations import IntegrationType
from pacer_core.model.migrations import yaml_text
from pacer_core.model.secrets import Secret

_WIDTH = 96

Ask = Callable[[str, str, str, bool], str]
"""Gives an option: asked for by its place, what is said of it, its default, and whether it is secret."""


@frozen
class Option:
    """An option that has to be said: its key, its type, and what is said of it."""

    key: str
    hint: Any
    words: str

    @property
    def is_secret(self) -> bool:
        """Whether it belongs into a file of its own."""
        return self.hint is Secret


@define
class First:
    """A configuration in the making."""

    broker: dict[str, str]
    known: tuple[ConsumerType, ...] = ()
    """The consumer types that are installed."""
    consumers: list[ConsumerType] = field(factory=list)
    integrations: dict[str, dict[str, str]] = field(factory=dict)
    """By name, the options as YAML writes them."""
    words: dict[str, dict[str, str]] = field(factory=dict)
    secrets: dict[str, str] = field(factory=dict)
    """By the name of its file, each secret."""

    def uses(self, consumer: ConsumerType) -> list[str]:
        """Give the integrations that a consumer can use: those of its tasks, and those that no task needs.

        The latter are told of each message when it is settled.
        """
        own = {one.name for task in consumer.tasks for one in task.needs}
        others = {one.name for type_ in self.known for task in type_.tasks for one in task.needs} - own
        return [name for name in self.integrations if name not in others]

    def add(self, type_: IntegrationType[Any], ask: Ask) -> None:
        """Add an integration, with each option that has to be said."""
        options: dict[str, str] = {}
        for option in required(type_.options):
            default = placeholder(type_.name, option)
            value = ask(f"{type_.name}.{option.key}", option.words, default, option.is_secret)
            options[option.key] = self.written(f"{type_.name.lower()}-{option.key.lower()}", option, value)
        self.integrations[type_.name] = options
        self.words[type_.name] = {one.key: one.words for one in required(type_.options)}

    def written(self, name: str, option: Option, value: str) -> str:
        """Give an option as YAML writes it; a secret goes into a file."""
        if not option.is_secret:
            return _plain(option, value)
        self.secrets[name] = value
        return f"!file secrets/{name}"


def required(options: type) -> list[Option]:
    """Give the options without a default."""
    hints, words = get_type_hints(options), words_of(options)
    return [
        Option(camel(one.name), hints[one.name], words.get(one.name, ""))
        for one in attrs.fields(options)
        if one.default is attrs.NOTHING
    ]


def placeholder(name: str, option: Option) -> str:
    """Give what may stand for an option until somebody knows better."""
    key = option.key.lower()
    if option.is_secret:
        return "change-me"
    if "url" in key:
        return f"https://{name.lower()}.example.org"
    if "host" in key:
        return f"{name.lower()}.example.org"
    if "zone" in key:
        return "UTC"
    if "root" in key or "folder" in key or "path" in key:
        return "/data"
    return {"authenticator": "db", "username": "pacer"}.get(key, "change-me")


def example(name: str, option: Option) -> Any:
    """Give a placeholder as the configuration has it once it is read."""
    text = placeholder(name, option)
    if option.is_secret:
        return Secret(text)
    return [text] if _is_list(option) else text


def _is_list(option: Option) -> bool:
    return getattr(option.hint, "__origin__", None) in (tuple, list)


def _plain(option: Option, value: str) -> str:
    if option.hint is str:
        return yaml_text(value)
    if _is_list(option):
        return f"[{', '.join(yaml_text(one.strip()) for one in value.split(','))}]"
    return value


def text_of(first: First, schema: str) -> str:
    """Give the configuration."""
    return "\n".join(_lines(first, schema)) + "\n"


def _lines(first: First, schema: str) -> Iterator[str]:
    yield f"# yaml-language-server: $schema={schema}"
    yield "# Made by `pacer init`. Change what has to be changed, then:"
    yield "#   pacer config check     is the file right?"
    yield "#   pacer doctor           is everything there, and lets PACER in?"
    yield "#   pacer run              work"
    yield ""
    yield "brokers:"
    yield "  main:"
    yield from (f"    {key}: {value}" for key, value in first.broker.items())
    yield ""
    yield "# PACER declares each queue, its dead queue, and what failed messages wait in. Publishers send to"
    yield "# a queue by its name; with `exchange` and `routingKey` it is bound to one of `exchanges`."
    yield "queues:"
    yield from (f"  - {{name: {one.name}}}" for one in first.consumers)
    yield ""
    if first.integrations:
        yield "integrations:"
        for name, options in first.integrations.items():
            yield f"  {name}:" if options else f"  {name}: {{}}"
            said = ""
            for key, value in options.items():
                words = first.words[name].get(key, "")
                if words != said:  # some are about several keys
                    yield from _comment(words, "    ")
                yield f"    {key}: {value}"
                said = words
        yield ""
    yield "# A task runs where all the integrations that it needs are named."
    yield "consumers:"
    for one in first.consumers:
        used = first.uses(one)
        named = f", integrations: [{', '.join(used)}]" if used else ""
        yield f"  - {{type: {one.name}, queues: [{one.name}]{named}}}"


def _comment(words: str, indent: str) -> Iterator[str]:
    yield from (f"{indent}# {line}" for line in textwrap.wrap(words, _WIDTH - len(indent)))


def usable(consumer: ConsumerType, integrations: Mapping[str, Any]) -> bool:
    """Tell whether all that a consumer type cannot be without is there, and nothing of it has to be said."""
    needed = {one.name for task in consumer.tasks if not task.optional for one in task.needs}
    options = [consumer.options, *(task.options for task in consumer.tasks)]
    said = all(one is None or not required(one) for one in options)
    return needed <= set(integrations) and bool(consumer.tasks) and said


UNIT = """\
# A unit of systemd, made by `pacer init`: cp {name} /etc/systemd/system/ && systemctl enable --now pacer
[Unit]
Description=PACER, from a message broker into catalogues
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={pacer} run --config {config}
ExecReload={pacer} config check --config {config}
ExecReload=/bin/kill -HUP $MAINPID
User=pacer
UMask=0027
Restart=always
RestartSec=5
# A configuration with errors does not mend itself.
RestartPreventExitStatus=78
# The supervisor alone is told to stop: it tells its workers, which finish what they have in hand.
KillMode=mixed
TimeoutStopSec=90
# These two are all that it may write; a consumer or service that writes elsewhere needs ReadWritePaths=.
StateDirectory=pacer
StateDirectoryMode=0700
LogsDirectory=pacer
LogsDirectoryMode=0750
Environment=XDG_STATE_HOME=%S
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""
