"""One module per consumer that is measured; each is run in a process of its own."""
