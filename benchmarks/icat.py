#!/usr/bin/env python3
"""How fast pacer-icat writes datasets, beside python-icat and beside the bare envelope.

    benchmarks/icat.py [--url URL --auth PLUGIN/USER:PASSWORD [--ca-file FILE]] [--quick] [ROW...]

Without a URL a sandbox is started, and told to be slow where a row says so. On any other server, which is
measured as it is, the account has to be one that may create a facility: one is made, and deleted at the end.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # A script's folder comes first on the path, and there this file would stand before python-icat.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from benchmarks.icat_bench import main

    sys.exit(main(sys.argv[1:], __doc__))
