"""Ends with 0 where PACER lives: the image's health check. PACER_LIVEZ names another address or port."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

URL = "http://127.0.0.1:9807/livez"


def main() -> int:
    """Ask, and say what is wrong."""
    url = os.environ.get("PACER_LIVEZ", URL)
    # A proxy of the site's has nothing to do with this machine's own address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=5).close()
    except (OSError, urllib.error.HTTPError) as error:
        print(f"{url}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
