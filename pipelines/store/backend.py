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

    @property
    def remedy(self) -> str:
        """What to do about a store of an older layout, as the end of a sentence."""
        ...

    def exists(self) -> bool:
        """Whether there is a database; asking makes none."""
        ...

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """One read transaction: what is read in it stood so at one moment."""
        ...

    def writing(self, live: bool = False) -> AbstractContextManager[sa.Connection]:
        """One write transaction: all of it or, after an exception or a kill, nothing.

        Others wait for its end; those of live streams, which write rows of their own, need not wait for each other.
        """
        ...

    def part(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """A part of a write transaction: a refusal that only it meets leaves the rest standing, where that can be."""
        ...

    def require_ours(self, tables: list[str]) -> None:
        """Raises StoreError where the tables of a database without a store are not what a first write may find."""
        ...

    def make_tables(self, connection: sa.Connection) -> None:
        """A database without any table has ours."""
        ...
