"""Aggregations that write: what they give is written within a dry run's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import ReplaceOne, UpdateOne

from migopy.standin.documents import BATCH, RAW, empty, insert, limited
from migopy.standin.findings import Foretold, Unanswerable
from migopy.standin.world import Document, World, probing, refused
from migopy.texts import counted

#: First stages that tell of the server and not of what is stored.
ASKING = frozenset(
    """
    $collStats $currentOp $indexStats $listLocalSessions $listSessions $planCacheStats
    """.split()  # noqa: SIM905
)

#: Stages that have to be the first one; so has a `$match` with `$text`.
LEADING = frozenset(('$geoNear', '$search', '$searchMeta', '$vectorSearch'))


def aggregate(
    world: World, database: str, command: Document, findings: list[Foretold]
) -> Document | None:
    """Answer an aggregation that writes, or that asks what no transaction tells."""
    pipeline = command.get('pipeline')
    first = pipeline[0] if isinstance(pipeline, list) and pipeline else {}
    if isinstance(first, Mapping) and ASKING & set(first):
        return _asked(world, database, command)
    last = pipeline[-1] if isinstance(pipeline, list) and pipeline else {}
    if not isinstance(last, Mapping) or not {'$out', '$merge'} & set(last):
        return None
    source = command['aggregate']
    if not isinstance(source, str):
        raise Unanswerable(
            'an aggregation of a whole database that writes is not tried'
        )
    ns = f'{database}.{source}'
    options: Document = {
        key: command[key] for key in ('collation', 'let', 'hint') if key in command
    }
    results = _results(world, ns, list(pipeline or ())[:-1], options)
    _write(world, database, last, results, findings)
    return {'cursor': {'id': 0, 'ns': ns, 'firstBatch': []}, 'ok': 1.0}


def _write(
    world: World,
    database: str,
    last: Mapping[str, Any],
    results: list[RawBSONDocument] | None,
    findings: list[Foretold],
) -> None:
    """Do what the last stage does with the results, `None` where they are too many."""
    stage = '$out' if '$out' in last else '$merge'
    namespace = _target(database, last[stage])
    if results is None:
        reason = f'{stage} would write too many documents to {namespace} to try it'
        world.off_limits[namespace] = reason
        findings.append(
            Foretold(f'would write more documents to {namespace} than tried')
        )
        return
    said = counted(len(results), 'document')
    if stage == '$out':
        is_known = world.known(namespace) is not None
        before = world.count(namespace) if is_known else 0
        findings.append(
            Foretold(f'would replace all of {namespace} ({before:,}) by {said}')
        )
        if is_known:
            empty(world, namespace, f'{namespace} would be replaced')
        insert(world, namespace, results)
    else:
        findings.append(Foretold(f'would merge {said} into {namespace}'))
        _merge(world, namespace, last[stage], results)
    world.written.add(namespace)


def _asked(world: World, database: str, command: Document) -> Document:
    """Ask the server, outside of the transaction, what it says of itself."""
    source = command['aggregate']
    plain = world.database(database)
    target = plain[source] if isinstance(source, str) else plain
    rows = list(target.aggregate(command['pipeline'], session=world.outside))
    ns = f'{database}.{source}'
    return {'cursor': {'id': 0, 'ns': ns, 'firstBatch': rows}, 'ok': 1.0}


def _target(database: str, into: Any) -> str:
    if isinstance(into, Mapping) and 'into' in into:
        into = into['into']
    if isinstance(into, Mapping):
        if 'timeseries' in into:
            raise Unanswerable('a time series is not written in a dry run')
        return f'{into.get("db", database)}.{into["coll"]}'
    return f'{database}.{into}'


def _results(
    world: World, namespace: str, pipeline: list[Any], options: Document
) -> list[RawBSONDocument] | None:
    """Run the stages before; `None` where they give too many documents.

    First in a transaction of their own, as an error would end the dry run's.
    """
    collection = world.collection(namespace).with_options(RAW)
    leading = 1 if pipeline and _has_to_lead(pipeline[0]) else 0
    of_one = [*pipeline[:leading], {'$limit': 1}, *pipeline[leading:]]
    with probing(world.client) as session:
        list(collection.aggregate(of_one, session=session, **options))
    return limited(collection.aggregate(pipeline, session=world.session, **options))


def _has_to_lead(stage: Any) -> bool:
    # Before a `$match` that need not be the first, the limit spares it a scan.
    is_document = isinstance(stage, Mapping)
    return is_document and bool(LEADING & set(stage) or '$text' in str(stage))


def _merge(
    world: World, namespace: str, merge: Any, results: list[RawBSONDocument]
) -> None:
    """Write documents as `$merge` does, one by one."""
    how = merge if isinstance(merge, Mapping) else {}
    on = how.get('on', '_id')
    keys = [on] if isinstance(on, str) else list(on)
    matched = how.get('whenMatched', 'merge')
    missing = how.get('whenNotMatched', 'insert')
    _require_unique(world, namespace, keys)
    if any('.' in key for key in keys):
        raise Unanswerable('$merge on a field within another is not tried in a dry run')
    if matched not in ('merge', 'replace', 'keepExisting') or missing == 'fail':
        raise Unanswerable(
            f'$merge with whenMatched={matched!r}, whenNotMatched={missing!r} is not'
            ' tried in a dry run'
        )
    upsert = missing == 'insert'
    operations = [_operation(each, keys, matched, upsert) for each in results]
    collection = world.collection(namespace)
    for start in range(0, len(operations), BATCH):
        batch = operations[start : start + BATCH]
        collection.bulk_write(batch, session=world.session)


def _require_unique(world: World, namespace: str, keys: list[str]) -> None:
    """Make sure that an index keeps the fields unique by which documents are merged."""
    known = world.known(namespace)
    indexes = [] if known is None else list(known.indexes.values())
    unique = [set(each['key']) for each in indexes if each.get('unique')]
    if set(keys) not in [{'_id'}, *unique]:
        text = 'Cannot find index to verify that join fields will be unique'
        raise refused(51183, 'Location51183', text)


def _operation(
    document: RawBSONDocument, keys: list[str], matched: str, upsert: bool
) -> ReplaceOne[Any] | UpdateOne:
    fields = dict(document)
    query = {key: {'$eq': fields.get(key)} for key in keys}
    if matched == 'replace':
        if keys != ['_id']:
            fields.pop('_id', None)
        return ReplaceOne(query, fields, upsert=upsert)
    if '_id' not in keys:
        fields.pop('_id', None)
    for key in keys:
        # The filter gives it to a document that is made.
        fields.pop(key, None)
    operator = '$set' if matched == 'merge' else '$setOnInsert'
    if not fields:
        # Before MongoDB 5.0 no operator may be empty, so it says what the filter does.
        known = {key: document.get(key) for key in keys[:1]}
        return UpdateOne(query, {'$setOnInsert': known}, upsert=upsert)
    return UpdateOne(query, {operator: fields}, upsert=upsert)
