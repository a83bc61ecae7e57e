"""The signs of the pages: a few strokes each, drawn for a square of 24."""

from __future__ import annotations

ICONS = {
    "acked": '<path d="M5 12.5l4.5 4.5L19 7.5"/>',
    "retried": '<path d="M20 11a8 8 0 1 0-2.3 6.3"/><path d="M20 4v7h-7"/>',
    "dead": '<path d="M6 6l12 12M18 6L6 18"/>',
    "messages": '<path d="M3 6h18v12H3z"/><path d="M3 7l9 7 9-7"/>',
    "errors": '<path d="M12 4l9 16H3z"/><path d="M12 10v4M12 17v.01"/>',
    "statistics": '<path d="M4 20V10M10 20V4M16 20v-8M21 20H3"/>',
    "system": '<path d="M4 5h16v6H4zM4 13h16v6H4z"/><path d="M8 8v.01M8 16v.01"/>',
    "checks": '<path d="M9 6h11M9 12h11M9 18h11"/><path d="M4 6l1 1 2-2M4 12l1 1 2-2M4 18l1 1 2-2"/>',
    "alerts": '<path d="M6 16v-5a6 6 0 0 1 12 0v5l2 2H4z"/><path d="M10 21h4"/>',
    "again": '<path d="M4 12a8 8 0 0 1 14-5.3L20 9"/><path d="M20 4v5h-5"/>'
    '<path d="M20 12a8 8 0 0 1-14 5.3L4 15"/><path d="M4 20v-5h5"/>',
    "audit": '<path d="M6 3h9l4 4v14H6z"/><path d="M9 12h7M9 16h7M9 8h3"/>',
    "search": '<circle cx="11" cy="11" r="6"/><path d="M16 16l4 4"/>',
    "filter": '<path d="M4 5h16l-6 8v6l-4-2v-4z"/>',
    "live": '<circle cx="12" cy="12" r="2"/><path d="M7 7a7 7 0 0 0 0 10M17 7a7 7 0 0 1 0 10"/>',
    "pause": '<path d="M8 5v14M16 5v14"/>',
    "columns": '<path d="M4 5h16v14H4zM10 5v14M15 5v14"/>',
    "save": '<path d="M6 3h12v18l-6-4-6 4z"/>',
    "download": '<path d="M12 4v11M7 11l5 5 5-5M5 20h14"/>',
    "theme": '<circle cx="12" cy="12" r="8"/><path d="M12 4v16" /><path d="M12 8h6M12 12h8M12 16h6"/>',
    "person": '<circle cx="12" cy="8" r="4"/><path d="M4 21a8 8 0 0 1 16 0"/>',
    "older": '<path d="M9 6l6 6-6 6"/>',
    "newer": '<path d="M15 6l-6 6 6 6"/>',
    "off": '<path d="M7 7l10 10M17 7L7 17"/>',
    "info": '<circle cx="12" cy="12" r="9"/><path d="M12 11v5M12 8v.01"/>',
    "follow": '<path d="M5 5v8a3 3 0 0 0 3 3h11"/><path d="M15 12l4 4-4 4"/>',
    "acknowledge": '<path d="M4 12l5 5L20 6"/><path d="M4 20h16"/>',
    "ignored": '<circle cx="12" cy="12" r="8"/><path d="M6.5 6.5l11 11"/>',
    "copy": '<path d="M8 8h12v12H8z"/><path d="M16 8V4H4v12h4"/>',
}
"""By name, what stands inside of an ``<svg viewBox="0 0 24 24">``."""
