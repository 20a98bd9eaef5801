"""Errors about a store or a file that a person can put right; each message is one sentence for them."""


class StoreError(Exception):
    """The store cannot be opened, read or written; the message is one sentence."""


class StoreMissing(StoreError):
    """There is no file at the store's address."""


class NotAllowed(StoreError):
    """The database user that the store was opened with has no right to do this."""


class StoreConflict(StoreError):
    """Another transaction wrote the same rows; trying again may well succeed."""


class OutputError(Exception):
    """A file cannot be written; the message is one sentence and nothing half-written is left."""
