"""Defines principals and their rights on a secured broker, and sets them there.

Every source is a principal named by its `source_id`: it writes its own topic and reads its own rejections. The
`pipeline` reads all sources' topics, creates missing ones, and writes rejections. `admin` may do everything.
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
# Prefixes of the pipeline's consumer groups: a stream's, and those by which Beam's KafkaIO measures its lag.
# A source's groups begin with its id and a full stop.
PIPELINE_GROUPS: Final = ("rollout-", "Reader-")
SUPPLIER_TOPICS: Final = "supplier."
REJECTED_TOPICS: Final = "rejected."
DCC_TOPIC: Final = "dcc"


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """Allows a principal an operation on a resource (TOPIC or GROUP), or on all with that prefix."""

    principal: str
    resource: str
    name: str
    operation: str
    prefixed: bool = False


def rights_of_source(source_id: str) -> tuple[Right, ...]:
    """Returns a source's rights: to write its own topic and read its own rejections, alone or in groups of its own.

    The right to write a topic includes being an idempotent producer and describing that topic.
    """
    topic = DCC_TOPIC if source_id == DCC else SUPPLIER_TOPICS + source_id
    return (
        Right(source_id, "TOPIC", topic, "WRITE"),
        Right(source_id, "TOPIC", REJECTED_TOPICS + source_id, "READ"),
        Right(source_id, "GROUP", f"{source_id}.", "READ", prefixed=True),
    )


def rights_of_pipeline() -> tuple[Right, ...]:
    """Returns the pipeline's rights: to read, create and describe the sources' topics, and to write rejections."""
    uses = ((SUPPLIER_TOPICS, "READ", True), (DCC_TOPIC, "READ", False), (REJECTED_TOPICS, "WRITE", True))
    topics = (
        Right(PIPELINE, "TOPIC", name, operation, prefixed)
        for name, use, prefixed in uses
        for operation in (use, "CREATE", "DESCRIBE_CONFIGS")
    )
    return (*topics, *(Right(PIPELINE, "GROUP", name, "READ", prefixed=True) for name in PIPELINE_GROUPS))


def rights(sources: Iterable[str]) -> tuple[Right, ...]:
    """Returns all rights of the given sources and the pipeline; `admin` needs none, as no rule applies to it."""
    return (*(right for source in sources for right in rights_of_source(source)), *rights_of_pipeline())


def grant(client: Mapping[str, Any], passwords: Mapping[str, str], wanted: Iterable[Right]) -> None:
    """Sets each principal's password and rights, and removes any other rights that it had.

    `client` configures a kafka-python client that may do everything. A principal not in `passwords` loses no rights.
    Raises ClusterError for what the broker refuses.
    """
    admin = _words().KafkaAdminClient(**client)
    try:
        refused = [*_let_in(admin, passwords), *_permit(admin, set(passwords), wanted)]
    finally:
        admin.close()
    if refused:
        raise ClusterError(f"The broker does not take all principals and rights: {refused[0]}.")


def _words() -> Any:
    """Imports kafka-python's administration module when used; it is newer than the type checkers' stubs."""
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
