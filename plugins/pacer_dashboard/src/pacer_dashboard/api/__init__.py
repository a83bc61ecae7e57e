"""The API below ``/api/v1``: what the pages can do, as JSON, described by OpenAPI."""
