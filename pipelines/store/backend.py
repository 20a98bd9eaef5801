"""What a store asks of a database, whichever it is."""

from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa


class Backend(Protocol):
    """A database that keeps a store; every fault that a person can put right leaves it as StoreError."""

    @property
    def name(self) -> str:
        """How messages name the store; never with a password."""
        ...

    def exists(self) -> bool:
        """Whether there is a database; asking makes none."""
        ...

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """One read transaction: what is read in it stood so at one moment."""
        ...

    def writing(self, live: bool = False) -> AbstractContextManager[sa.Connection]:
        """One write transaction: all of it or, after an exception or a kill, nothing; `live`: one of many to come."""
        ...

    def make_tables(self, connection: sa.Connection) -> None:
        """A database without any table has ours; raises StoreError where they are made in another way."""
        ...
