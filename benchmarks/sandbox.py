#!/usr/bin/env python3
"""How fast the ICAT sandbox is: start-up, nested creates, searches, many clients.

    benchmarks/sandbox.py [--json FILE]

Measured over HTTP against a sandbox in a process of its own, except "server" figures, which leave HTTP out.
"""

import argparse
import http.client
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from pacer_sandbox.catalogue import Catalogue
from pacer_sandbox.seed import seed
from pacer_sandbox.soap.endpoint import SoapEndpoint


def envelope(operation: str, inner: str) -> bytes:
    """Return a SOAP request."""
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:i="http://icatproject.org"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<s:Body><i:{operation}>{inner}</i:{operation}></s:Body></s:Envelope>"
    ).encode()


def dataset(session: str, investigation: int, kind: int, name: str, count: int) -> bytes:
    """Return the nested create of a dataset with ``count`` files."""
    files = "".join(
        "<datafiles>"
        f"<datafileModTime>2025-07-15T15:{n // 60 % 60:02d}:{n % 60:02d}.123456+02:00</datafileModTime>"
        f"<fileSize>{n}</fileSize><location>/data/mx-123/{name}/image_{n:06d}.cbf</location>"
        f"<name>image_{n:06d}.cbf</name></datafiles>"
        for n in range(count)
    )
    bean = f"{files}<investigation><id>{investigation}</id></investigation><name>{name}</name>"
    bean += f"<type><id>{kind}</id></type>"
    return envelope("create", f'<sessionId>{session}</sessionId><bean xsi:type="i:dataset">{bean}</bean>')


def server_share() -> dict[str, float]:
    """Return what calls cost inside the server."""
    catalogue = Catalogue()
    seed(catalogue, "demo")
    endpoint = SoapEndpoint(catalogue)
    session = catalogue.sessions.open("simple/root")
    with catalogue.store.reading() as connection:
        investigation = connection.execute('SELECT min(id) FROM "Investigation"').fetchone()[0]
        kind = connection.execute('SELECT min(id) FROM "DatasetType"').fetchone()[0]
    figures: dict[str, float] = {}
    for count in (1_000, 30_000):
        body = dataset(session, investigation, kind, f"d{count}", count)
        start = time.perf_counter()
        status, answer = endpoint.answer(body)
        if status != 200:
            raise SystemExit(answer.decode())
        figures[f"server ms per file, nested create of {count}"] = (time.perf_counter() - start) * 1e3 / count
    for what in ("f.name, f.fileSize", "f"):
        query = f"<sessionId>{session}</sessionId><query>SELECT {what} FROM Datafile f LIMIT 0, 10000</query>"
        endpoint.answer(envelope("search", query))
        start = time.perf_counter()
        endpoint.answer(envelope("search", query))
        figures[f"server s, search of 10000: {what}"] = time.perf_counter() - start
    catalogue.close()
    return figures


def over_http() -> dict[str, float]:
    """Return start-up, latency, and 200 clients at once."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "pacer_sandbox", "--port", "0", "--seed", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        figures = {"s until it listens, with the demo facility": time.perf_counter() - start}
        host = urlsplit(line.split()[3]).netloc
        try:
            figures["ms per small call, one connection"] = _calls(host, 1, 2_000)
            figures["ms per small call, 200 connections"] = _calls(host, 200, 20)
        finally:
            process.terminate()
    return figures


def _calls(host: str, clients: int, each: int) -> float:
    body = envelope("getVersion", "")
    errors: list[Exception] = []

    def work() -> None:
        try:
            connection = http.client.HTTPConnection(host)
            for _ in range(each):
                connection.request("POST", "/ICATService/ICAT", body, {"Content-Type": "text/xml"})
                connection.getresponse().read()
            connection.close()
        except (OSError, http.client.HTTPException) as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise SystemExit(f"{len(errors)} of {clients} clients failed: {errors[0]}")
    return (time.perf_counter() - start) * 1e3 / (clients * each)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = over_http() | server_share()
    for name, value in figures.items():
        print(f"{value:10.3f}  {name}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
