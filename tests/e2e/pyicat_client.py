"""An unmodified pyicat-plus; JSON on standard input tells it what to call: ``[[METHOD, ARGUMENTS], ...]``."""

import json
import sys

from pyicat_plus.client.main import IcatClient
from pyicat_plus.client.types import ArchiveStatusLevel, ArchiveStatusType

ENUMS = {"type": ArchiveStatusType, "level": ArchiveStatusLevel}


def main() -> None:
    broker = [f"127.0.0.1:{sys.argv[1]}"]
    client = IcatClient(
        metadata_urls=broker,
        update_metadata_urls=broker,
        add_files_urls=broker,
        archive_urls=broker,
        reschedule_investigation_urls=broker,
    )
    for method, arguments in json.load(sys.stdin):
        typed = {name: ENUMS.get(name, lambda value: value)(value) for name, value in arguments.items()}
        getattr(client, method)(**typed)
    client.disconnect()


if __name__ == "__main__":
    main()
