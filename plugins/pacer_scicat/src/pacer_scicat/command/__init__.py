"""The command ``pacer scicat``."""
