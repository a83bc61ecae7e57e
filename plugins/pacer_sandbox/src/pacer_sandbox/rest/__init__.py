"""The REST interface below ``/icat``."""

from pacer_sandbox.rest.endpoint import RestEndpoint

__all__ = ["RestEndpoint"]
