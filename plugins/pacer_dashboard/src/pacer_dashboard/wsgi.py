"""The dashboard as one application for WSGI servers."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from pacer_dashboard.start import prepare_to_serve

prepare_to_serve()
application = get_wsgi_application()
