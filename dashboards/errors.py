"""Errors that the person who starts the dashboard can fix."""


class DashboardError(Exception):
    """An error that the person who starts the dashboard can fix; the message is one sentence."""


class StoreUnreadable(DashboardError):
    """The store cannot be read: it is missing, is not a store, denies access, or has tables of another version."""
