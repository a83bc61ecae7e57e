"""The dashboard as one application for ASGI servers."""

from __future__ import annotations

from django.conf import settings
from django.core.asgi import get_asgi_application

from pacer_dashboard.live.gate import Gate
from pacer_dashboard.live.pool import share_connections
from pacer_dashboard.start import prepare, prepare_to_serve

prepare()
share_connections()  # before anything opens one
prepare_to_serve()
application = Gate(get_asgi_application(), root=settings.FORCE_SCRIPT_NAME or "")
