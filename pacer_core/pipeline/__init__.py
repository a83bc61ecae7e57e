"""One message in a straight line, from its envelope to its delivery; no broker, no I/O of its own."""
