"""Indexes made, dropped and listed in a dry run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pymongo.errors import OperationFailure

from migopy.codes import DUPLICATE_KEY
from migopy.effects import whole_reply
from migopy.standin import checks
from migopy.standin.expiring import expires, tell_expired
from migopy.standin.findings import DUPLICATES, Foretold, Unanswerable
from migopy.standin.unindexable import Refused, unindexable
from migopy.standin.world import (
    Document,
    Known,
    World,
    no_namespace,
    probing,
    refused,
    require_no_batch,
    scratch,
)

#: Options of a collection that its indexes depend on.
OF_INDEXES = ('capped', 'clusteredIndex', 'collation', 'max', 'size')


def create_indexes(
    world: World, database: str, command: Document, findings: list[Foretold]
) -> Document:
    """Answer `createIndexes`; raises what the server would raise."""
    namespace = f'{database}.{command["createIndexes"]}'
    known = world.known(namespace)
    if known is not None and known.kind == 'view':
        raise _is_view(namespace)
    if known is not None and known.kind != 'collection':
        raise Unanswerable(
            f'{namespace} is a {known.kind}, whose indexes are not tried'
        )
    is_new = world.is_free(namespace) if known is None else known.is_new
    if is_new and (known is None or world.count(namespace) == 0):
        return _for_real(world, namespace, command, known)
    if known is None:
        known = Known()
        findings.append(Foretold(f'would make collection {namespace}'))
    reply, made = _tried(world, namespace, known, command['indexes'])
    if made:
        require_no_batch(
            f'Cannot create new indexes on existing collection {namespace}'
        )
    documents = world.documents(namespace)
    for index in made:
        said = f'{namespace}.{index["name"]}'
        refusal = unindexable(world, namespace, index)
        if refusal is not None:
            _tell_refusal(findings, namespace, index['name'], documents, refusal)
            raise _as_of_the_build(refusal.error, namespace)
        # From a capped collection nothing is deleted: it may not have such an index.
        if expires(index) and not known.options.get('capped'):
            tell_expired(world, findings, namespace, index, f'would make index {said}')
        elif not index.get('unique'):
            findings.append(Foretold(f'would make index {said}: {documents}'))
        if not index.get('unique'):
            continue
        found = checks.duplicates(world, namespace, index)
        tell_unique(findings, namespace, index['name'], documents, found)
        if found.values:
            raise _duplicate(namespace, index, found.values[0][0])
        world.constraints.add_index(namespace, index)
    known.indexes.update({index['name']: index for index in made})
    world.unmade.add(namespace)
    world.make(namespace, known)
    return reply


def _for_real(
    world: World, namespace: str, command: Document, known: Known | None
) -> Document:
    """Have the server make indexes of a collection that the transaction has made."""
    database = namespace.partition('.')[0]
    known = known or Known(is_new=True)
    _, made = _tried(world, namespace, known, command['indexes'])
    reply = world.database(database).command(command, session=world.session)
    known.indexes.update({index['name']: index for index in made})
    for index in made:
        if expires(index):
            world.expiring.add_index(namespace, index)
    world.make(namespace, known)
    return dict(reply)


def _tried(
    world: World, namespace: str, known: Known, indexes: list[Document]
) -> tuple[Document, list[Document]]:
    """Have the server make indexes of an empty collection that is like this one.

    So the server judges the definitions, and whether they go together. Gives its reply
    and the indexes that are new.
    """
    database, name = world.database(namespace.partition('.')[0]), scratch()
    options = {key: known.options[key] for key in OF_INDEXES if key in known.options}
    there = [_definition(each) for each in known.indexes.values()]
    there = [
        each for each in there if each['name'] != '_id_' and 'clustered' not in each
    ]
    try:
        with probing(world.client) as session:
            database.command({'create': name, **options}, session=session)
            if there:
                old = {'createIndexes': name, 'indexes': there}
                database.command(old, session=session)
            made_of = {'createIndexes': name, 'indexes': indexes}
            reply = whole_reply(database.command(made_of, session=session))
    except OperationFailure as error:
        raise _about(error, namespace, f'{database.name}.{name}') from error
    made: list[Document] = []
    if reply['numIndexesAfter'] > reply['numIndexesBefore']:
        new = [each for each in indexes if each['name'] not in known.indexes]
        made = [{'v': 2, **each} for each in new]
    return {**reply, 'createdCollectionAutomatically': False}, made


def _definition(index: Mapping[str, Any]) -> Document:
    return {key: index[key] for key in index if key not in ('ns', 'v')}


def _about(error: OperationFailure, namespace: str, scratch: str) -> OperationFailure:
    """Give an error as the server would have said it of the collection itself."""
    text = re.sub(re.escape(scratch), lambda _: namespace, str(error))
    text = text.partition(', full error: ')[0]
    details = dict(error.details or {})
    name = str(details.get('codeName', 'error'))
    return refused(error.code or 0, name, text)


def tell_unique(
    findings: list[Foretold],
    namespace: str,
    index: str,
    documents: str,
    found: checks.Found,
) -> None:
    """Tell what a unique index would meet."""
    text = f'would make index {namespace}.{index} (unique): {documents}'
    obstacle = DUPLICATES if found.number else ''
    if found.unknown:
        text += f', not looked through for duplicates: {found.unknown}'
    elif found.number:
        values = 'value' if found.number == 1 else 'values'
        text = text.replace('would make', 'would fail to make', 1)
        text += f', {found.amount} duplicated {values}'
    else:
        text += ', no duplicates'
    number = found.number
    findings.append(Foretold(text, found.values, obstacle, namespace, index, number))


def _tell_refusal(
    findings: list[Foretold],
    namespace: str,
    index: str,
    documents: str,
    refusal: Refused,
) -> None:
    number = refusal.found.number
    text = f'would fail to make index {namespace}.{index}: {documents},'
    text = f'{text} {refusal.found.amount} of them cannot be in it'
    values, obstacle = refusal.found.values, refusal.obstacle
    findings.append(Foretold(text, values, obstacle, namespace, index, number))


def _as_of_the_build(error: OperationFailure, namespace: str) -> OperationFailure:
    """Give what the server says of a document as it says it of an index build."""
    details = dict(error.details or {})
    if details.get('writeErrors'):
        details = dict(details['writeErrors'][0])
    name = str(details.get('codeName', 'error'))
    text = details.get('errmsg', 'an index cannot have a document')
    said = f'Index build failed: Collection {namespace} :: caused by :: {text}'
    return refused(details.get('code', error.code or 0), name, said)


def _duplicate(namespace: str, index: Document, value: Any) -> OperationFailure:
    values = value if len(index['key']) > 1 else [value]
    pairs = ', '.join(f'{key}: {each!r}' for key, each in zip(index['key'], values))
    return refused(
        DUPLICATE_KEY,
        'DuplicateKey',
        f'E11000 duplicate key error collection: {namespace} index: {index["name"]}'
        f' dup key: {{ {pairs} }}',
    )


def drop_indexes(
    world: World, database: str, command: Document, findings: list[Foretold]
) -> Document:
    """Answer `dropIndexes`; raises what the server would raise."""
    name = command.get('dropIndexes') or command.get('deleteIndexes')
    namespace = f'{database}.{name}'
    known = world.known(namespace)
    if known is None:
        raise no_namespace()
    if known.kind == 'view':
        raise _is_view(namespace)
    before = len(known.indexes)
    for index in _meant(known, command.get('index', [])):
        known.indexes.pop(index['name'])
        world.expiring.drop_index(namespace, index)
        if index.get('unique'):
            world.loosened.add(namespace)
            world.constraints.drop_index(namespace, index)
        text = f'would drop index {namespace}.{index["name"]}'
        keys = ', '.join(f'{key}: {way}' for key, way in index['key'].items())
        findings.append(Foretold(f'{text} on {keys}'))
    return {'nIndexesWas': before, 'ok': 1.0}


def _meant(known: Known, which: Any) -> list[Document]:
    """List the indexes that are to be dropped."""
    if which == '*':
        kept = [
            each['name']
            for each in known.indexes.values()
            if each['name'] == '_id_' or each.get('clustered')
        ]
        return [each for each in known.indexes.values() if each['name'] not in kept]
    if isinstance(which, Mapping):
        named = [index_of_keys(known, which)['name']]
    else:
        named = [which] if isinstance(which, str) else list(which)
    for each in named:
        if each not in known.indexes:
            raise refused(27, 'IndexNotFound', f'index not found with name [{each}]')
        if each == '_id_':
            raise refused(72, 'InvalidOptions', 'cannot drop _id index')
    return [known.indexes[each] for each in named]


def index_of_keys(known: Known, keys: Mapping[str, Any]) -> Document:
    """Give the one index that has these keys; raises what the server would raise."""
    fitting = [
        each
        for each in known.indexes.values()
        if list(each['key'].items()) == list(keys.items())
    ]
    if not fitting:
        raise refused(27, 'IndexNotFound', f"can't find index with key: {keys}")
    if len(fitting) > 1:
        text = f'{len(fitting)} indexes with key: {keys}, must use index name'
        raise refused(181, 'AmbiguousIndexKeyPattern', text)
    return fitting[0]


def _is_view(namespace: str) -> OperationFailure:
    text = f'Namespace {namespace} is a view, not a collection'
    return refused(166, 'CommandNotSupportedOnView', text)


def list_indexes(
    world: World, database: str, command: Document, findings: list[Foretold]
) -> Document:
    """Answer `listIndexes`; of no collection there are none, as PyMongo has it."""
    namespace = f'{database}.{command["listIndexes"]}'
    known = world.known(namespace)
    if known is not None and known.kind == 'view':
        raise _is_view(namespace)
    found = [dict(each) for each in known.indexes.values()] if known else []
    return {'cursor': {'id': 0, 'ns': namespace, 'firstBatch': found}, 'ok': 1.0}
