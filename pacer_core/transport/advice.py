"""What to do about a broker's refusal, in the same words wherever it is met."""

from __future__ import annotations

from pacer_core.config.model import Amqp, Broker


def advice_for(error: str, broker: Broker, where: str) -> str | None:
    """Tell what to do about a refusal, by what brokers say (AMQP 0-9-1, reference, 1.2)."""
    options = broker.options
    if not isinstance(options, Amqp):
        return None  # these are RabbitMQ's words
    account = options.username or "guest"
    if "access to" in error and "ACCESS_REFUSED" in error:
        return (
            f"let {account} configure, write and read there: rabbitmqctl set_permissions "
            f"-p {options.v_host} {account} '.*' '.*' '.*'"
        )
    if "ACCESS_REFUSED" in error or "AccessRefused" in error:
        more = "" if options.username else "; RabbitMQ takes guest from its own machine alone"
        return f"correct username and password of {where}{more}"
    if "NOT_ALLOWED" in error or "NotAllowed" in error:
        name = options.v_host
        return (
            f"correct vHost of {where}, or at the broker: rabbitmqctl add_vhost {name}; "
            f"rabbitmqctl set_permissions -p {name} {account} '.*' '.*' '.*'"
        )
    if "CERTIFICATE_VERIFY_FAILED" in error:
        return f"give the authority of the broker's certificate as tls.caFile of {where}"
    return "upgrade the broker" if "PACER needs" in error else None
