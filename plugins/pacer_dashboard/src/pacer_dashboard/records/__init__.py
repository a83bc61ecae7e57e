"""Records, one for each delivery of a message, in either of their formats, as one kind of data."""

from pacer_dashboard.records.fingerprint import VERSION, Fingerprint, fingerprint
from pacer_dashboard.records.reading import read
from pacer_dashboard.records.record import DEFAULT_KEYS, Failure, Keys, Record

__all__ = ["DEFAULT_KEYS", "VERSION", "Failure", "Fingerprint", "Keys", "Record", "fingerprint", "read"]
