"""Who may do what on a secured broker: principals and their rights as data, and how a broker comes to hold them.

Every source is a principal of its own, by its `source_id`: it writes its own topic and reads its own rejections. The
`pipeline` reads all sources' topics, makes those that lack, and writes rejections. `admin` may do everything.
"""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from infra.processes import ClusterError

ADMIN: Final = "admin"
PIPELINE: Final = "pipeline"
DCC: Final = "SDCC"
MECHANISM: Final = "SCRAM-SHA-256"
# The pipeline's consumer groups begin so: a stream's, and those by which Beam's KafkaIO looks how far behind it is.
# A source's begin with its id and a full stop.
PIPELINE_GROUPS: Final = ("rollout-", "Reader-")
SUPPLIER_TOPICS: Final = "supplier."
REJECTED_TOPICS: Final = "rejected."
DCC_TOPIC: Final = "dcc"


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """A principal may do an operation on a resource (TOPIC or GROUP), or on all whose names begin so."""

    principal: str
    resource: str
    name: str
    operation: str
    prefixed: bool = False


def rights_of_source(source_id: str) -> tuple[Right, ...]:
    """A source writes its own topic, and reads its own rejections, alone or in groups of its own.

    Who may write a topic may also be an idempotent producer, and see that topic described.
    """
    topic = DCC_TOPIC if source_id == DCC else SUPPLIER_TOPICS + source_id
    return (
        Right(source_id, "TOPIC", topic, "WRITE"),
        Right(source_id, "TOPIC", REJECTED_TOPICS + source_id, "READ"),
        Right(source_id, "GROUP", f"{source_id}.", "READ", prefixed=True),
    )


def rights_of_pipeline() -> tuple[Right, ...]:
    """The pipeline reads the sources' topics, makes them, reads how they are set up, and writes rejections."""
    uses = ((SUPPLIER_TOPICS, "READ", True), (DCC_TOPIC, "READ", False), (REJECTED_TOPICS, "WRITE", True))
    topics = (
        Right(PIPELINE, "TOPIC", name, operation, prefixed)
        for name, use, prefixed in uses
        for operation in (use, "CREATE", "DESCRIBE_CONFIGS")
    )
    return (*topics, *(Right(PIPELINE, "GROUP", name, "READ", prefixed=True) for name in PIPELINE_GROUPS))


def rights(sources: Iterable[str]) -> tuple[Right, ...]:
    """All rights of some sources and of the pipeline; `admin`, whom no rule binds, has none."""
    return (*(right for source in sources for right in rights_of_source(source)), *rights_of_pipeline())


def grant(client: Mapping[str, Any], passwords: Mapping[str, str], wanted: Iterable[Right]) -> None:
    """Each principal logs in with its password and has the rights wanted; what more it had, it has no longer.

    `client` is the configuration of a client of kafka-python that may do all. Principals without a password here are
    left alone. Raises ClusterError for what the broker refuses.
    """
    admin = _words().KafkaAdminClient(**client)
    try:
        refused = [*_let_in(admin, passwords), *_permit(admin, set(passwords), wanted)]
    finally:
        admin.close()
    if refused:
        raise ClusterError(f"The broker does not take all principals and rights: {refused[0]}.")


def _words() -> Any:
    """What kafka-python's administration speaks in: imported when used, and newer than the stubs of type checkers."""
    return importlib.import_module("kafka.admin")


def _let_in(admin: Any, passwords: Mapping[str, str]) -> list[str]:
    upsertion = _words().UserScramCredentialUpsertion
    told = admin.alter_user_scram_credentials(
        [upsertion(principal, MECHANISM, password) for principal, password in passwords.items()]
    )
    return [f"{principal}: {error}" for principal, error in told.items() if error]


def _permit(admin: Any, principals: set[str], wanted: Iterable[Right]) -> list[str]:
    acls = {_acl(right) for right in wanted}
    there = set(admin.describe_acls(_every_acl())[0])
    if missing := list(acls - there):
        refused = [str(error) for error in admin.create_acls(missing)["failed"]]
    else:
        refused = []
    names = {f"User:{principal}" for principal in principals}
    if gone := [acl for acl in there - acls if acl.principal in names]:
        admin.delete_acls(gone)
    return refused


def _acl(right: Right) -> Any:
    admin = _words()
    kind = admin.ACLResourcePatternType.PREFIXED if right.prefixed else admin.ACLResourcePatternType.LITERAL
    pattern = admin.ResourcePattern(admin.ResourceType[right.resource], right.name, kind)
    operation, allow = admin.ACLOperation[right.operation], admin.ACLPermissionType.ALLOW
    return admin.ACL(f"User:{right.principal}", "*", operation, allow, pattern)


def _every_acl() -> Any:
    admin = _words()
    pattern = admin.ResourcePatternFilter(admin.ResourceType.ANY, None, admin.ACLResourcePatternType.ANY)
    return admin.ACLFilter(None, None, admin.ACLOperation.ANY, admin.ACLPermissionType.ANY, pattern)
