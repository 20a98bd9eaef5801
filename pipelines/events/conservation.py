"""Rule 7: for every owner, received records equal those accepted, duplicate, superseded, pending or rejected."""

from dataclasses import dataclass

import polars as pl

from schemas.codes import INTAKE_STATUSES


class BalanceBroken(RuntimeError):
    """Some records were lost or counted twice: a fault of the program, so the run must not be kept."""


@dataclass(frozen=True, slots=True)
class Balance:
    """The balance of every owner: one row each, with `owner`, a column for each status, and `difference`.

    `difference` is the number received less all the others; records of status unknown are not in it.
    """

    table: pl.DataFrame

    def check(self) -> None:
        """Raises BalanceBroken, with the owners' names, unless the balance holds for every owner."""
        broken = self.table.filter(pl.col("difference") != 0)
        if broken.height:
            owners = ", ".join(f"{owner} by {by}" for owner, by in broken.select("owner", "difference").iter_rows())
            raise BalanceBroken(f"Received records do not balance for {owners}; nothing was kept.")


def balance_of(intake: pl.DataFrame) -> Balance:
    """Returns the balance of an intake (owner, status, records)."""
    by_status = [
        pl.col("records").filter(pl.col("status") == status).sum().alias(status)
        for status in (*INTAKE_STATUSES, "unknown")
    ]
    table = intake.group_by("owner").agg(by_status).sort("owner")
    received, *others = INTAKE_STATUSES
    return Balance(table.with_columns(difference=pl.col(received) - pl.sum_horizontal(others)))
