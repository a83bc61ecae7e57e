"""The pages, drawn on the server."""
