"""What a person can put right about a store or a file: the message is one sentence for them."""


class StoreError(Exception):
    """The store cannot be opened, read or written; the message is one sentence."""


class OutputError(Exception):
    """A file cannot be written; the message is one sentence and nothing half-written is left."""
