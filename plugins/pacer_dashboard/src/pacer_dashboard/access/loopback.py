"""What is this machine's own alone."""

from __future__ import annotations

import ipaddress

_NAMES = {"localhost", "localhost.localdomain"}


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address, with brackets or without, is this machine's own alone."""
    bare = host.strip("[]").lower()
    if bare in _NAMES:
        return True
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
