"""``python -m pacer_sandbox``: serve an ICAT."""

from pacer_sandbox.cli import icat

icat(prog_name="python -m pacer_sandbox")
