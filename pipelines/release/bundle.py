"""The bundle of a release: its files, the manifest that lists them with their hashes, and a signature."""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipelines.keys import Key
from pipelines.release.csv_files import csv_files, tidy_frame
from pipelines.release.edition import Edition
from pipelines.release.pages import html_files
from pipelines.release.sheets import ods_bytes, xlsx_bytes

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.json.sig"
CERTIFICATE: Final = "certificate.json"
Files = dict[str, bytes]
# What of a release's facts the manifest repeats.
_FACTS: Final = (
    "inputs",
    "received",
    "as_at",
    "code_version",
    "rule_version",
    "schema_version",
    "geography_version",
    "policies",
    "disclosure_key_id",
    "membership",
    "correction",
)


class BundleError(Exception):
    """A bundle is not what its manifest says; the message is one sentence."""


def bundle_of(edition: Edition, signing: Key, say: Callable[[str], None] = lambda _: None) -> Files:
    """Every file of a release by its path. The same edition and key make the same bytes."""
    files: Files = {}
    for name, make in _makers(edition).items():
        say(f"Writing {name}")
        files |= make()
    files[CERTIFICATE] = json_bytes(edition.certificate)
    private = Ed25519PrivateKey.from_private_bytes(signing.secret)
    files[MANIFEST] = json_bytes(_manifest(edition, files, private.public_key()))
    files[SIGNATURE] = base64.b64encode(private.sign(files[MANIFEST])) + b"\n"
    return files


def _makers(edition: Edition) -> dict[str, Callable[[], Files]]:
    return {
        "CSV files": lambda: csv_files(edition),
        "Parquet": lambda: {"release.parquet": _parquet(edition)},
        "pages": lambda: html_files(edition),
        "the XLSX workbook": lambda: {"release.xlsx": xlsx_bytes(edition)},
        "the ODS spreadsheet": lambda: {"release.ods": ods_bytes(edition)},
    }


def _parquet(edition: Edition) -> bytes:
    buffer = io.BytesIO()
    metadata = {"title": edition.title, "notice": edition.notice}
    tidy_frame(edition).write_parquet(buffer, compression="zstd", metadata=metadata)
    return buffer.getvalue()


def _manifest(edition: Edition, files: Files, public: Ed25519PublicKey) -> dict[str, Any]:
    listed = [
        {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for path, content in sorted(files.items())
    ]
    return {
        "release": edition.name,
        "title": edition.title,
        "quarter": edition.quarter,
        "status": edition.status,
        "notice": edition.notice,
        "released_at": edition.released_at,
        "files": listed,
        "signing_public_key": base64.b64encode(public.public_bytes_raw()).decode(),
        **{name: edition.facts[name] for name in _FACTS if name in edition.facts},
    }


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """A JSON value as a file: sorted keys, one line end at the end."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def verified(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The manifest of a bundle's files. Raises BundleError unless files, hashes and signature are what it says."""
    missing = {MANIFEST, SIGNATURE} - files.keys()
    if missing:
        raise BundleError(f"There is no {min(missing)}; it is not the folder of a whole release.")
    try:
        manifest: dict[str, Any] = json.loads(files[MANIFEST])
        listed = {one["path"]: one["sha256"] for one in manifest["files"]}
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(manifest["signing_public_key"]))
        public.verify(base64.b64decode(files[SIGNATURE]), files[MANIFEST])
    except InvalidSignature as error:
        raise BundleError("The signature is not that of the manifest.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError("The manifest cannot be read.") from error
    given = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    for path in sorted((listed.keys() | given.keys()) - {MANIFEST, SIGNATURE}):
        if listed.get(path) != given.get(path):
            where = (
                "is not in the manifest" if path not in listed else "is missing" if path not in given else "was changed"
            )
            raise BundleError(f"The file {path} {where}.")
    return manifest
