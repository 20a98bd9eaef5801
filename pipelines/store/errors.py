"""What a person can put right about a store or a file: the message is one sentence for them."""


class StoreError(Exception):
    """The store cannot be opened, read or written; the message is one sentence."""


class StoreMissing(StoreError):
    """There is no file where the store is said to be."""


class NotAllowed(StoreError):
    """The name that the store was opened with has no right to do this."""


class StoreConflict(StoreError):
    """Another transaction came in between; the same again may well succeed."""


class OutputError(Exception):
    """A file cannot be written; the message is one sentence and nothing half-written is left."""
