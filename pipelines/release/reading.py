"""Reads a bundle as somebody outside does: the tidy file, the policy of the certificate, and nothing secret."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.release.bundle import CERTIFICATE, BundleError, verified
from pipelines.release.csv_files import TIDY_COLUMNS
from schemas.policies import DisclosurePolicy
from schemas.quarters import quarter_number


@dataclass(frozen=True, slots=True)
class Attacked:
    """A bundle as an attacker has it: its name, last quarter, policy and tidy figures (TIDY, `value`, `marker`)."""

    name: str
    last_quarter: int
    policy: DisclosurePolicy
    tidy: pl.DataFrame

    @property
    def order(self) -> tuple[int, int]:
        """Where the release stands among others: by quarter, then by its number."""
        return self.last_quarter, int(self.name.rpartition("-")[2])


def attacked(folder: str, files: Mapping[str, bytes]) -> Attacked:
    """The bundle of a folder's files. Raises BundleError if it is not what its manifest says."""
    try:
        manifest = verified(files)
        policy = DisclosurePolicy(**json.loads(files[CERTIFICATE])["policy"])
        return Attacked(manifest["release"], quarter_number(manifest["quarter"]), policy, tidy_of(files["tidy.csv"]))
    except BundleError as error:
        raise BundleError(f"{folder}: {error}") from error
    except (KeyError, ValueError, TypeError, pl.exceptions.PolarsError) as error:
        raise BundleError(f"{folder}: its tidy figures or its certificate cannot be read.") from error


def tidy_of(content: bytes) -> pl.DataFrame:
    """The figures of a tidy file, with empty texts where nothing stands."""
    types = {name: pl.Int64 if name == "value" else pl.String for name in TIDY_COLUMNS}
    frame = pl.read_csv(io.BytesIO(content), schema=types)
    return frame.drop("release").with_columns(pl.col(pl.String).fill_null(""))
