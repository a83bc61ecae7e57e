"""Fixtures for the tests of the core and of every plugin."""

pytest_plugins = ["tests.services.fixtures", "tests.support", "tests.lab"]
