"""The store: exact cells, intake and quarantine of each run, and the published tables."""

from pipelines.store.errors import NotAllowed, OutputError, StoreError, StoreMissing
from pipelines.store.live import Fenced, Portion
from pipelines.store.opening import open_store
from pipelines.store.records import ReleaseRecord, RunRecord, VintageRecord
from pipelines.store.store import Store

__all__ = [
    "Fenced",
    "NotAllowed",
    "OutputError",
    "Portion",
    "ReleaseRecord",
    "RunRecord",
    "Store",
    "StoreError",
    "StoreMissing",
    "VintageRecord",
    "open_store",
]
