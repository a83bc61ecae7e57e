"""What stands around PACER, looked at once: every broker and integration of a configuration.

Each check has a thread of its own and its time; one that hangs holds up neither the others nor the end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from attrs import define, frozen

from pacer_core.config.model import Broker, Config, ConsumerPlan, Integration, ServicePlan
from pacer_core.config.places import places, unwritable
from pacer_core.model.errors import BrokerError, PacerError
from pacer_core.model.integrations import Use
from pacer_core.model.private_files import why_exposed
from pacer_core.model.secrets import redact, screen
from pacer_core.transport.advice import advice_for
from pacer_core.transport.broker_checks import Examined, Trouble, examine_main, examine_recipient
from pacer_core.work.clients import CannotOpen, OpenIntegrations

LATE = "it did not answer in time"


@frozen
class Finding:
    """What one check has found.

    Attributes
    ----------
    kind, name
        A ``broker``, an ``integration``, a ``service``, a ``place`` on disk or a ``consumer`` whose options
        leave something to be warned of, and what the configuration calls it.
    about
        Its address, or its type.
    users
        The consumers that need it.
    well
        Whether PACER can work with it.
    detail
        What was seen.
    advice
        Where it is not well: what to do.
    seconds
        How long it took.
    warning
        What may go wrong although PACER can work with it, and what to do about that.
    """

    kind: str
    name: str
    about: str
    users: tuple[str, ...]
    well: bool
    detail: str
    advice: str = ""
    seconds: float = 0.0
    warning: str = ""


@frozen
class _Check:
    kind: str
    name: str
    about: str
    users: tuple[str, ...]
    run: Callable[[], tuple[str, list[Trouble], list[Trouble]]]
    """Gives what was seen, what keeps PACER from working, and what it should be warned of."""
    late: str
    """What to do where it takes too long."""


@define(eq=False)
class _Running:
    check: _Check
    thread: threading.Thread
    began: float
    found: Finding | None = None


def diagnose(config: Config, seconds: float) -> list[Finding]:
    """Check everything at once, for so many seconds at most."""
    running = [_start(check) for check in _checks(config)]
    deadline = time.monotonic() + seconds
    for one in running:
        one.thread.join(max(0.0, deadline - time.monotonic()))
    return [one.found or _late(one, seconds) for one in running]


def _checks(config: Config) -> Iterator[_Check]:
    everybody = (*(plan.name for plan in config.consumers), *(one.name for one in config.services))
    for key, place in places(config):
        yield _place(key, place, everybody)
    yield _broker("main", config.broker, everybody, partial(examine_main, config))
    for recipient in config.recipients:
        yield _broker(recipient.name, recipient, (), partial(examine_recipient, config, recipient))
    used: dict[str, Integration] = {}
    for plan in config.consumers:
        used |= {one.name: one for one in plan.integrations.values()}
    for name, integration in used.items():
        uses = [
            Use(plan.name, plan.pipeline.type.name, plan.pipeline.options)
            for plan in config.consumers
            if name in {one.name for one in plan.integrations.values()}
        ]
        yield _integration(config.file, integration, uses)
    for plan in config.consumers:
        if plan.warnings:
            yield _consumer(plan)
    for service in config.services:
        yield _service(config.file, service)


def _place(key: str, place: Path, users: tuple[str, ...]) -> _Check:
    advice = f"let the account that PACER runs as write there, or name another place as {key}"

    def run() -> tuple[str, list[Trouble], list[Trouble]]:
        why = unwritable(place)
        exposed = why_exposed(place) if key == "processes.stateFolder" else None
        warned = [] if exposed is None else [Trouble(exposed, f"chmod 700 {place}")]
        return "can be written", [] if why is None else [Trouble(f"cannot be written: {why}", advice)], warned

    return _Check("place", key, str(place), users, run, advice)


def _consumer(plan: ConsumerPlan) -> _Check:
    def run() -> tuple[str, list[Trouble], list[Trouble]]:
        return "can be run", [], [Trouble(one.detail, one.advice) for one in plan.warnings]

    return _Check("consumer", plan.name, plan.pipeline.type.name, (), run, "")


def _broker(name: str, broker: Broker, users: tuple[str, ...], examine: Callable[[], Examined]) -> _Check:
    where = "brokers.main" if name == "main" else f"the recipient {name}"
    away = (
        f"see that it runs and that this machine reaches it (name, port, firewall); correct protocol and "
        f"address of {where} where they are wrong"
    )

    def run() -> tuple[str, list[Trouble], list[Trouble]]:
        try:
            found = examine()
        except BrokerError as error:
            return "", [Trouble(str(error), advice_for(str(error), broker, where) or away)], []
        detail = found.server
        if found.missing:
            detail += f"; not declared yet, `pacer run` does: {', '.join(found.missing)}"
        return detail, list(found.troubles), list(found.warnings)

    return _Check("broker", name, str(broker), users, run, away)


def _integration(file: str, integration: Integration, uses: list[Use]) -> _Check:
    where = f"integrations.{integration.name} in {file}"
    away = (
        f"see that it runs and that this machine reaches it (name, port, proxy, firewall); correct address, "
        f"certificates and account in {where} where they are wrong"
    )

    def run() -> tuple[str, list[Trouble], list[Trouble]]:
        opened = OpenIntegrations()
        try:
            client = opened.client(integration)
            if integration.type.check is None:
                return "opens; its type has nothing more to check", [], []
            integration.type.check(client)
            seen = [] if integration.type.examine is None else list(integration.type.examine(client, uses))
        except CannotOpen as error:
            return "", [Trouble(str(error), f"correct {where}, or what it names on this machine")], []
        except Exception as error:
            known = isinstance(error, PacerError)
            detail = str(error) if known else f"{type(error).__name__}: {error}"
            return "", [Trouble(detail, away if _is_away(integration, error) else f"look at {where}")], []
        finally:
            opened.close_thread()
            opened.close()
        well = ["answers, and knows the account", *(one.detail for one in seen if not one.advice)]
        troubles = [Trouble(one.detail, f"{one.advice} ({where})") for one in seen if one.advice]
        return "; ".join(well), troubles, []

    users = tuple(one.consumer for one in uses)
    return _Check("integration", integration.name, integration.type.name, users, run, away)


def _service(file: str, plan: ServicePlan) -> _Check:
    where = f"services: {plan.name} in {file}"

    def run() -> tuple[str, list[Trouble], list[Trouble]]:
        if plan.type.check is None:
            return "its type has nothing to check", [], []
        try:
            seen = list(plan.type.check(plan.options))
        except Exception as error:
            detail = str(error) if isinstance(error, PacerError) else f"{type(error).__name__}: {error}"
            return "", [Trouble(detail, f"look at {where}")], []
        well = [one.detail for one in seen if not one.advice]
        return (
            "; ".join(well),
            [Trouble(one.detail, f"{one.advice} ({where})") for one in seen if one.advice],
            [],
        )

    late = f"look whether what it names in {where} answers"
    return _Check("service", plan.name, plan.type.name, (), run, late)


def _is_away(integration: Integration, error: Exception) -> bool:
    try:
        return bool(integration.type.is_away(error))
    except Exception:  # a plugin's own mistake: the other advice is good enough
        return False


def _start(check: _Check) -> _Running:
    def work() -> None:
        try:
            detail, troubles, warned = check.run()
        except Exception as error:
            detail, troubles, warned = "", [Trouble(f"{type(error).__name__}: {error}", check.late)], []
        running.found = _finding(check, detail, troubles, warned, time.monotonic() - running.began)

    running = _Running(
        check, threading.Thread(target=work, name=f"doctor {check.name}", daemon=True), time.monotonic()
    )
    running.thread.start()
    return running


def _late(one: _Running, seconds: float) -> Finding:
    return _finding(one.check, "", [Trouble(f"{LATE}: {seconds:g} s", one.check.late)], [], seconds)


def _finding(
    check: _Check, detail: str, troubles: list[Trouble], warned: list[Trouble], seconds: float
) -> Finding:
    return Finding(
        check.kind,
        check.name,
        screen(check.about),
        check.users,
        well=not troubles,
        detail=redact("; ".join([one.detail for one in troubles] or [detail])),
        advice=screen("; ".join(dict.fromkeys(one.advice for one in troubles))),
        seconds=seconds,
        warning=redact("\n".join(f"{one.detail}: {one.advice}" for one in warned)),
    )
