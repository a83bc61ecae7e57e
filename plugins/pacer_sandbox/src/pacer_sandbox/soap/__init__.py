"""The SOAP interface: its description, what comes in, what goes out."""
