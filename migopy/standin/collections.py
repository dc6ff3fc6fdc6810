"""Collections made, dropped, renamed and listed in a dry run."""

from __future__ import annotations

from migopy.codes import NAMESPACE_EXISTS
from migopy.standin.documents import empty, insert, read_all
from migopy.standin.findings import Foretold, Unanswerable
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
from migopy.texts import counted

#: What a command has beside the options of a collection.
NO_OPTIONS = ('create', 'comment', 'writeConcern', 'autoIndexId')

#: Options of a capped collection.
OF_CAPPED = ('capped', 'size', 'max')

#: MongoDB takes these for successes since 7.0: dropping what is not there, and creating
#: what is there with the same options.
LENIENT = (7, 0)

#: An error of its own for a collection that is renamed to itself.
TO_ITSELF = (5, 0)


def create(
    world: World, database: str, command: Document, findings: list[Foretold]
) -> Document:
    """Answer `create`; raises what the server would raise."""
    namespace = f'{database}.{command["create"]}'
    options = {key: command[key] for key in command if key not in NO_OPTIONS}
    known = world.known(namespace)
    if known is not None:
        if world.version >= LENIENT and known.options == options:
            return {'ok': 1.0}
        text = f'Collection {namespace} already exists.'
        raise refused(NAMESPACE_EXISTS, 'NamespaceExists', text)
    made = Known(_kind(options), options)
    if made.kind == 'collection' and world.is_free(namespace):
        with probing(world.client) as session:
            world.database(database).command(command, session=session)
        made.is_new = True
        # No transaction writes to a capped one.
        plain = {key: command[key] for key in command if key not in OF_CAPPED}
        reply = world.database(database).command(plain, session=world.session)
        if 'clusteredIndex' in options:
            made.indexes = {}
    else:
        if made.kind != 'collection':
            require_no_batch(f'Cannot create {made.kind} {namespace}')
        # No transaction makes a view, or a collection where one is that would be gone.
        made.indexes = {} if made.kind == 'view' else made.indexes
        if made.kind == 'collection':
            with probing(world.client) as session:
                tried = {**command, 'create': scratch()}
                world.database(database).command(tried, session=session)
            world.constraints.add_validator(namespace, options)
        reply = {'ok': 1.0}
        text = f'would make {made.kind} {namespace}'
        findings.append(Foretold(f'{text}, which was not tried on the server'))
        if made.kind != 'collection':
            reason = f'{namespace} is a {made.kind} that no transaction can make'
            world.off_limits[namespace] = reason
    world.make(namespace, made)
    return dict(reply)


def _kind(options: Document) -> str:
    if 'viewOn' in options:
        return 'view'
    return 'timeseries' if 'timeseries' in options else 'collection'


def drop(
    world: World, database: str, command: Document, findings: list[Foretold]
) -> Document:
    """Answer `drop`: for what follows the collection is empty, and made anew."""
    namespace = f'{database}.{command["drop"]}'
    known = world.known(namespace)
    if known is None:
        if world.version >= LENIENT:
            return {'ok': 1.0}
        raise no_namespace()
    reply: Document = {'ns': namespace, 'ok': 1.0}
    if known.kind == 'view':
        findings.append(Foretold(f'would drop view {namespace}'))
    else:
        reply['nIndexesWas'] = len(known.indexes)
        said = world.documents(namespace)
        indexes = counted(len(known.indexes), 'index')
        text = f'would drop collection {namespace}: {said}, {indexes}'
        findings.append(Foretold(text))
    _have_gone(world, namespace, known, f'{namespace} would be dropped')
    return reply


def _have_gone(world: World, namespace: str, known: Known, reason: str) -> None:
    empty(world, namespace, reason)
    if known.is_new:
        world.remains.add(namespace)
    if known.options.get('validator') or any(
        each.get('unique') for each in known.indexes.values()
    ):
        world.loosened.add(namespace)
    world.constraints.drop_all(namespace)
    world.expiring.drop_all(namespace)
    world.remove(namespace)


def drop_database(
    world: World, database: str, command: Document, findings: list[Foretold]
) -> Document:
    """Answer `dropDatabase`: each of its collections is dropped."""
    for name in world.names(database):
        if not name.startswith('system.'):
            drop(world, database, {'drop': name}, findings)
    return {'dropped': database, 'ok': 1.0}


def rename(
    world: World, database: str, command: Document, findings: list[Foretold]
) -> Document:
    """Answer `renameCollection`: for what follows the documents are moved."""
    source, target = command['renameCollection'], command['to']
    known = world.known(source)
    if known is None:
        text = f'Source collection {source} does not exist'
        raise refused(26, 'NamespaceNotFound', text)
    if source == target and world.version >= TO_ITSELF:
        text = "Can't rename a collection to itself"
        raise refused(20, 'IllegalOperation', text)
    there = world.known(target)
    if there is not None and not command.get('dropTarget'):
        raise refused(NAMESPACE_EXISTS, 'NamespaceExists', 'target namespace exists')
    if known.kind == 'view':
        raise refused(166, 'CommandNotSupportedOnView', f'cannot rename view: {source}')
    if known.kind != 'collection':
        raise Unanswerable(f'{source} is a {known.kind}, whose renaming is not tried')
    said = world.documents(source)
    findings.append(Foretold(f'would rename {source} to {target}: {said}'))
    # No transaction deletes from a capped one.
    is_capped = bool(known.options.get('capped')) and not known.is_new
    is_kept = is_capped or source in world.off_limits
    documents = None if is_kept else read_all(world, source)
    if there is not None:
        _have_gone(world, target, there, f'{target} would be replaced')
    if documents is None:
        why = 'is capped' if is_capped else 'has too many documents'
        reason = f'{source} would be renamed, and it {why}'
        world.off_limits.update({source: reason, target: reason})
    else:
        world.collection(source).delete_many({}, session=world.session)
        if target not in world.off_limits:
            insert(world, target, documents)
    world.remove(source)
    world.make(target, Known(known.kind, known.options, known.indexes))
    world.written.add(target)
    world.unmade.add(target)
    world.expiring.move(source, target)
    for index in known.indexes.values():
        if index.get('unique'):
            world.constraints.add_index(target, index)
    world.constraints.add_validator(target, known.options)
    return {'ok': 1.0}


def list_collections(
    world: World, database: str, command: Document, findings: list[Foretold]
) -> Document:
    """Answer `listCollections`."""
    found = world.listing(database, command.get('filter'))
    ns = f'{database}.$cmd.listCollections'
    return {'cursor': {'id': 0, 'ns': ns, 'firstBatch': found}, 'ok': 1.0}
