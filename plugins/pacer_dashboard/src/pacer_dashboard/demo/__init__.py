"""``pacer dashboard demo``: everything embedded, and messages that come in as they do at a facility."""
