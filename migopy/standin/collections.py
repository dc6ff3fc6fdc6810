"""Collections made, changed, dropped, renamed and listed in a dry run."""

from __future__ import annotations

from typing import Any

from migopy.standin import checks
from migopy.standin.documents import empty, insert, read_all
from migopy.standin.findings import MISFITS, Finding, counted
from migopy.standin.unanswerable import Unanswerable
from migopy.standin.world import (
    Constraint,
    Document,
    Known,
    World,
    no_namespace,
    probing,
    refused,
    scratch,
)

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
    world: World, database: str, command: Document, findings: list[Finding]
) -> Document:
    """Answer `create`; raises what the server would raise."""
    namespace = f'{database}.{command["create"]}'
    options = {key: command[key] for key in command if key not in NO_OPTIONS}
    known = world.known(namespace)
    if known is not None:
        if world.version >= LENIENT and known.options == options:
            return {'ok': 1.0}
        text = f'Collection {namespace} already exists.'
        raise refused(48, 'NamespaceExists', text)
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
        # No transaction makes a view, or a collection where one is that would be gone.
        made.indexes = {} if made.kind == 'view' else made.indexes
        if made.kind == 'collection':
            with probing(world.client) as session:
                tried = {**command, 'create': scratch()}
                world.database(database).command(tried, session=session)
            _have_validator(world, namespace, options.get('validator'), 0)
        reply = {'ok': 1.0}
        text = f'would make {made.kind} {namespace}'
        findings.append(Finding(f'{text}, which was not tried on the server'))
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
    world: World, database: str, command: Document, findings: list[Finding]
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
        findings.append(Finding(f'would drop view {namespace}'))
    else:
        reply['nIndexesWas'] = len(known.indexes)
        said = world.documents(namespace)
        indexes = counted(len(known.indexes), 'index')
        text = f'would drop collection {namespace}: {said}, {indexes}'
        findings.append(Finding(text))
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
    world.constraints[:] = [
        each for each in world.constraints if each.namespace != namespace
    ]
    world.remove(namespace)


def drop_database(
    world: World, database: str, command: Document, findings: list[Finding]
) -> Document:
    """Answer `dropDatabase`: each of its collections is dropped."""
    for name in world.names(database):
        if not name.startswith('system.'):
            drop(world, database, {'drop': name}, findings)
    return {'dropped': database, 'ok': 1.0}


def rename(
    world: World, database: str, command: Document, findings: list[Finding]
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
        raise refused(48, 'NamespaceExists', 'target namespace exists')
    if known.kind != 'collection':
        raise Unanswerable(f'{source} is a {known.kind}, whose renaming is not tried')
    said = world.documents(source)
    findings.append(Finding(f'would rename {source} to {target}: {said}'))
    documents = None if source in world.off_limits else read_all(world, source)
    if there is not None:
        _have_gone(world, target, there, f'{target} would be replaced')
    if documents is None:
        reason = f'{source} would be renamed, and it has too many documents'
        world.off_limits.update({source: reason, target: reason})
    else:
        world.collection(source).delete_many({}, session=world.session)
        if target not in world.off_limits:
            insert(world, target, documents)
    world.remove(source)
    world.make(target, Known(known.kind, known.options, known.indexes))
    world.written.add(target)
    for index in known.indexes.values():
        if index.get('unique'):
            name = f'the unique index {target}.{index["name"]}'
            world.constraints.append(Constraint(target, name, index, None, 0))
    _have_validator(world, target, known.options.get('validator'), 0)
    world.written_since.discard(target)
    return {'ok': 1.0}


def modify(
    world: World, database: str, command: Document, findings: list[Finding]
) -> Document:
    """Answer `collMod`: of a validator it is found out what it would reject."""
    namespace = f'{database}.{command["collMod"]}'
    known = world.known(namespace)
    if known is None:
        raise no_namespace()
    if known.kind != 'collection':
        findings.append(Finding(f'would change {known.kind} {namespace}, not tried'))
        world.off_limits[namespace] = f'{namespace} would be another {known.kind}'
        return {'ok': 1.0}
    reply: Document = {'ok': 1.0}
    changed = [key for key in command if key not in ('collMod', 'comment', 'index')]
    if 'index' in command:
        reply.update(_modify_index(known, command['index'], namespace))
        findings.append(
            Finding(f'would change index {namespace}.{_index_name(command["index"])}')
        )
    if command.get('validator'):
        _require_validator(world, database, command['validator'])
        found = checks.misfits(world, namespace, command['validator'])
        count = world.documents(namespace)
        said = (
            f'{found.amount} of them do not fit' if found.number else 'all of them fit'
        )
        if found.unknown:
            said = f'not looked through: {found.unknown}'
        text = f'would change the validator of {namespace}: {count}, {said}'
        obstacle = MISFITS if found.number else ''
        number = found.number
        findings.append(Finding(text, found.values, obstacle, namespace, '', number))
        if known.options.get('validator'):
            world.loosened.add(namespace)
        _forget(world, namespace)
        _have_validator(world, namespace, command['validator'], found.number)
    elif changed:
        if 'validator' in command:
            world.loosened.add(namespace)
            _forget(world, namespace)
        names = ', '.join(changed)
        findings.append(Finding(f'would change {names} of {namespace}'))
    known.options = {**known.options, **{key: command[key] for key in changed}}
    return reply


def _forget(world: World, namespace: str) -> None:
    world.constraints[:] = [
        each
        for each in world.constraints
        if each.namespace != namespace or each.validator is None
    ]


def _have_validator(world: World, namespace: str, validator: Any, broken: int) -> None:
    """Have a validator there, unless it is none, that nobody enforces."""
    if validator:
        name = f'the validator of {namespace}'
        world.constraints.append(Constraint(namespace, name, None, validator, broken))
        world.written_since.discard(namespace)


def _require_validator(world: World, database: str, validator: Any) -> None:
    """Have the server judge a validator; raises what it raises."""
    with probing(world.client) as session:
        world.database(database).command(
            {'create': scratch(), 'validator': validator}, session=session
        )


def _index_name(index: Document) -> str:
    if 'name' in index:
        return str(index['name'])
    return '_'.join(f'{key}_{way}' for key, way in index['keyPattern'].items())


def _modify_index(known: Known, change: Document, namespace: str) -> Document:
    """Change an index as it is to be seen; give what the server says of it."""
    name = _index_name(change)
    if name not in known.indexes:
        text = f'cannot find index {name} for ns {namespace}'
        raise refused(27, 'IndexNotFound', text)
    index, reply = known.indexes[name], {}
    for option in change:
        if option not in ('name', 'keyPattern'):
            reply[f'{option}_old'] = index.get(option)
            reply[f'{option}_new'] = index[option] = change[option]
    return {key: value for key, value in reply.items() if value is not None}


def list_collections(
    world: World, database: str, command: Document, findings: list[Finding]
) -> Document:
    """Answer `listCollections`."""
    found = world.listing(database, command.get('filter'))
    ns = f'{database}.$cmd.listCollections'
    return {'cursor': {'id': 0, 'ns': ns, 'firstBatch': found}, 'ok': 1.0}
