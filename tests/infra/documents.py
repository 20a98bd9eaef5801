"""The files under infra/ that others read, and whether they are as a schema of ours says."""

import functools
import json
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

INFRA = Path(__file__).parents[2] / "infra"
SCHEMAS = Path(__file__).parent / "schemas"


def documents(path: Path) -> list[Any]:
    """All documents of a YAML file, under infra/ if the path is no absolute one."""
    return list(yaml.safe_load_all((INFRA / path).read_text(encoding="utf-8")))


def document(path: str) -> Any:
    """The one document of a YAML or JSON file under infra/."""
    (found,) = documents(Path(path))
    return found


@functools.cache
def _validator(schema: str) -> Draft202012Validator:
    told = json.loads((SCHEMAS / schema).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(told)
    return Draft202012Validator(told)


def faults(schema: str, found: Any) -> list[str]:
    """What a schema does not let a document be, each with the place."""
    return sorted(f"{error.json_path}: {error.message[:200]}" for error in _validator(schema).iter_errors(found))
