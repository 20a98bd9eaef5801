"""The versions of the rules, schemas and code that made a figure: short names that are kept with every run."""

import hashlib
import json
from importlib import metadata

from expectations.run import rules, suite_json
from schemas import registry

_LENGTH = 12


def rule_version() -> str:
    """Returns a digest of all suites, which changes whenever a rule changes."""
    text = json.dumps({name: suite_json(name) for name in {rule.suite for rule in rules()}}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def schema_version() -> str:
    """Returns a digest of the current schemas' fingerprints."""
    prints = b"".join(schema.fingerprint for schema in registry.current().values())
    return hashlib.sha256(prints).hexdigest()[:_LENGTH]


def code_version() -> str:
    """Returns the version of the installed program."""
    return metadata.version("smart-meter-rollout")
