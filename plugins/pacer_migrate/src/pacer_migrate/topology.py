"""``exchanges:``, ``queues:`` and ``brokers:``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pacer_migrate.old import Old
from pacer_migrate.rules import Rule, Work, gone, hidden, keep, left_out, name_of, new, reshaped, silently
from pacer_migrate.tree import Branch, Entry, plain, scalar

_PASSIVE = (
    "Queues are used as they are at the broker, where ICAT-PACER has declared them. At a broker without",
    "them, and for queues of PACER's own (quorum, one reader at a time), take `declare: passive` away.",
)
_AS_IT_IS = "the queue is used as it is at the broker"
_ELSEWHERE = "write it again where the page about the broker says that it has priorities"


def exchanges(old: Old, work: Work) -> Rule:
    """Give the rule of ``exchanges:``."""

    def one(item: Entry) -> Entry | str:
        name = name_of(item)
        if old.empty(name):
            return "nobody sends there any more"
        return _with(item, {"name": keep, "type": _kind(work)}, work, f"{name}: ")

    return _listed("exchanges", one, work)


def _kind(work: Work) -> Rule:
    def rule(entry: Entry) -> list[Entry] | str:
        if plain(entry.value) == "x-local-random":
            work.to_do(entry.line, "x-local-random is no exchange that PACER declares: use it as it is")
            return [Entry("declare", scalar("passive"), entry.line, entry.above, entry.beside)]
        return [entry]

    return rule


def queues(old: Old, work: Work) -> Rule:
    """Give the rule of ``queues:``."""
    rules: dict[str, Rule] = {"name": keep, "exchange": keep, "routingKey": keep}
    for key in ("priorityEnabled", "maxPriorityLevel"):
        rules[key] = silently(_AS_IT_IS) if old.amqp else left_out(_ELSEWHERE)

    def one(item: Entry) -> Entry | str:
        name = name_of(item)
        if why := old.gone(name):
            return f"{why}; let it run empty first" if "dashboard" not in why else why
        made = _with(item, rules, work, f"{name}: ")
        if old.amqp and isinstance(made.value, Branch):
            made.value.entries.append(Entry("declare", scalar("passive")))
        return made

    section = _listed("queues", one, work)

    def rule(entry: Entry) -> list[Entry] | str:
        result = section(entry)
        if old.amqp and not isinstance(result, str) and isinstance(entry.value, Branch):
            result[0].above += [f"# {line}" for line in _PASSIVE]
            work.changed(entry.line, "queues are used as they are at the broker: declare: passive")
        return result

    return rule


def _listed(section: str, one: Callable[[Entry], Entry | str], work: Work) -> Rule:
    """Give the rule of a list, item by item; what is left out leaves its comments."""

    def rule(entry: Entry) -> list[Entry] | str:
        if not isinstance(entry.value, Branch) or not entry.value.is_list:
            return [entry]
        kept = Branch(is_list=True, flow=entry.value.flow)
        waiting: list[str] = []
        for item in entry.value.entries:
            made = one(item)
            if isinstance(made, str):
                name = str(name_of(item))
                waiting += gone(item, made, name)
                work.left_out(item.line, f"{section}: {name}: {made}")
                continue
            made.above = [*waiting, *made.above]
            waiting = []
            kept.entries.append(made)
        kept.tail = [*waiting, *entry.value.tail]
        entry.value = kept
        return [entry]

    return rule


def _with(item: Entry, rules: Mapping[str, Rule], work: Work, what: str) -> Entry:
    if isinstance(item.value, Branch) and not item.value.is_list:
        item.value = reshaped(item.value, rules, work, what)
    return item


def brokers(old: Old, work: Work) -> Rule:
    """Give the rule of ``brokers:``."""

    def account(name: str) -> dict[str, Rule]:
        same = dict.fromkeys(("protocol", "host", "port", "username", "vHost"), keep)
        return {**same, "password": hidden(work, f"{name}-password")}

    def main(entry: Entry) -> list[Entry]:
        return [_with(entry, account("broker"), work, "brokers.main.")]

    def recipient(item: Entry) -> Entry:
        name = str(name_of(item) or "")
        rules = {**account(name or "recipient"), "name": keep, "forwardingRules": forwarding}
        return _with(item, rules, work, f"{name}: ")

    def forwarding(entry: Entry) -> list[Entry] | str:
        for item in entry.value.entries if isinstance(entry.value, Branch) else ():
            if isinstance(item.value, Branch) and not item.value.is_list:
                _routed(item.value, item.line)
        return [entry]

    def _routed(rule: Branch, line: int) -> None:
        if rule.get("withRoutingKey") is None:
            exchange = rule.get("fromExchange")
            key = old.routing_key(plain(exchange.value)) if exchange is not None else None
            if key is None:
                told = "withRoutingKey is missing: ICAT-PACER refused the rule; without it, all is forwarded"
                work.to_do(line, told)
                rule.entries.append(new("withRoutingKey", scalar("#"), told))
            else:
                work.changed(line, f"withRoutingKey was missing: {key}, of the exchange's only queue")
                rule.entries.append(Entry("withRoutingKey", scalar(key)))

    rules = {"main": main, "recipients": _listed("brokers.recipients", recipient, work)}

    def section(entry: Entry) -> list[Entry]:
        return [_with(entry, rules, work, "brokers.")]

    return section
