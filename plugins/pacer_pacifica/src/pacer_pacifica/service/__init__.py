"""The service ``pacifica``: bundles come in over HTTP, and become jobs that consumers work on."""

from pacer_pacifica.service.options import ServiceOptions
from pacer_pacifica.service.type import SERVICE

__all__ = ["SERVICE", "ServiceOptions"]
