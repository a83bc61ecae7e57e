"""An ICAT to hold in one hand: SOAP and REST on SQLite, for trying and testing."""
