"""The version that errors and the API's description name."""

from importlib.metadata import version

VERSION = version("pacer-pacifica")
