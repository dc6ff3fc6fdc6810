"""What a plan depends on: the collections, their sizes, their indexes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from bson import json_util

from migopy.preflight.server_queries import Server


def basis_of(server: Server, namespaces: Iterable[str]) -> list[dict[str, Any]]:
    """Describe collections, each with the checksum of its indexes and options."""
    described = []
    for namespace in sorted(set(namespaces)):
        indexes = sorted(server.indexes(namespace), key=lambda each: str(each['name']))
        matters = [server.kind(namespace), server.options(namespace), indexes]
        exact = json_util.dumps(matters, json_options=json_util.RELAXED_JSON_OPTIONS)
        described.append(
            {
                'collection': namespace,
                'kind': server.kind(namespace) or None,
                'documents': server.count(namespace),
                'indexes': [str(each['name']) for each in indexes],
                'checksum': f'sha256:{hashlib.sha256(exact.encode()).hexdigest()}',
            }
        )
    return described


def checksum_of(described: list[dict[str, Any]]) -> str:
    """Give one checksum of all that is described, the numbers of documents included."""
    exact = json.dumps(described, sort_keys=True)
    return f'sha256:{hashlib.sha256(exact.encode()).hexdigest()}'
