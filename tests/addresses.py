"""Forms of store addresses, for whoever opens one: those of a SQLite file, and those that name no store of ours."""

STRANGE_NAMES = ("a?b.db", "a%20b.db", "a b.db", "a#b.db", "a&b=c.db", "rollout.db?mode=ro", "postgresql.db", "a:b.db")
# All in the current folder.
FILES = (
    "rollout.db",
    "./rollout.db",
    "sqlite:///./rollout.db",
    *STRANGE_NAMES,
    *(f"sqlite:///{name}" for name in ("rollout.db", *STRANGE_NAMES)),
)
OTHERS = (
    "",
    " ",
    ":memory:",
    "sqlite:",
    "sqlite:rollout.db",
    "sqlite:/rollout.db",
    "sqlite://",
    "sqlite://rollout.db",
    "sqlite://host/rollout.db",
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite:///a\0b.db",
    "sqlite+pysqlite:///rollout.db",
    "SQLITE:///rollout.db",
    "file:rollout.db",
    "file:///rollout.db",
    "http://localhost:port/",
    "mysql+pymysql://localhost/rollout",
    "postgresql://",
    "postgresql://localhost",
    "postgresql+nothing://localhost/rollout",
    "postgresql:rollout",
    "://",
)
