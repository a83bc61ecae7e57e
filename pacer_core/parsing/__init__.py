"""The built-in parsers: one JSON or XML body into one attrs message, with the path of every bad field."""
