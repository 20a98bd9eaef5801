"""What the person who starts the dashboard can put right."""


class DashboardError(Exception):
    """Something that the person who starts the dashboard can put right; the text is one sentence for them."""


class StoreUnreadable(DashboardError):
    """The store cannot be read: it is missing, is no store, refuses us, or has other tables than ours."""
