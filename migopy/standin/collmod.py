"""Collections changed by `collMod` in a dry run."""

from __future__ import annotations

from typing import Any

from pymongo.errors import OperationFailure

from migopy.codes import NAMESPACE_NOT_FOUND, UNAUTHORIZED
from migopy.standin import checks
from migopy.standin.constraints import is_enforced
from migopy.standin.expiring import OPTION, expires, is_sooner, tell_expired
from migopy.standin.findings import MISFITS, Foretold
from migopy.standin.indexes import index_of_keys, tell_unique
from migopy.standin.world import (
    Document,
    Known,
    World,
    no_namespace,
    probing,
    refused,
    scratch,
)

#: What a command has beside the options that it changes.
NO_OPTIONS = ('collMod', 'comment', 'index', 'writeConcern')

#: Options of which each decides what is rejected.
OF_VALIDATION = frozenset({'validationAction', 'validationLevel', 'validator'})

#: Options that only some collections have, and what these have been made with.
WANTED = {
    'cappedMax': 'capped',
    'cappedSize': 'capped',
    'expireAfterSeconds': 'clusteredIndex',
    'pipeline': 'viewOn',
    'viewOn': 'viewOn',
}

#: Milliseconds for the server to judge a command.
JUDGED_MS = 1000

#: The error where that was not enough.
OUT_OF_TIME = 50


#: Since this version an index becomes one whose documents expire; before, only the time
#: of one that is so already was changed.
MADE_TO_EXPIRE = (5, 1)


def modify(
    world: World, database: str, command: Document, findings: list[Foretold]
) -> Document:
    """Answer `collMod`: of a validator it is found out what it would reject."""
    namespace = f'{database}.{command["collMod"]}'
    _require_understood(world, database, command)
    known = world.known(namespace)
    if known is None:
        raise no_namespace()
    if known.kind != 'collection':
        said = f'would change {known.kind} {namespace}, not tried'
        if not _tell_of_collection(world, namespace, known, command, said, findings):
            findings.append(Foretold(said))
        world.off_limits[namespace] = f'{namespace} would be another {known.kind}'
        return {'ok': 1.0}
    changed = {key: command[key] for key in command if key not in NO_OPTIONS}
    for key in changed:
        if key in WANTED and WANTED[key] not in known.options:
            text = f'{namespace} is no collection that has {key}'
            raise refused(72, 'InvalidOptions', text)
    if command.get('validator'):
        _require_validator(world, database, command['validator'])
    reply: Document = {'ok': 1.0}
    if 'index' in command:
        index = _modify_index(world, known, command['index'], namespace, findings)
        reply.update(index)
    if OF_VALIDATION & set(changed):
        _validate(world, namespace, known, changed, findings)
    elif changed and not _tell_of_collection(
        world, namespace, known, command, f'would change {namespace}', findings
    ):
        findings.append(Foretold(f'would change {", ".join(changed)} of {namespace}'))
    known.options = {**known.options, **changed}
    return reply


def _tell_of_collection(
    world: World,
    namespace: str,
    known: Known,
    command: Document,
    said: str,
    findings: list[Foretold],
) -> bool:
    """Tell what expires of a time series or a clustered collection, if that is new."""
    after, before = command.get(OPTION), known.options.get(OPTION)
    # It may be 'off'.
    if not is_sooner(before, after):
        return False
    series = known.options.get('timeseries', {})
    pseudo = {'name': '', 'key': {series.get('timeField', '_id'): 1}, OPTION: after}
    # A bucket is deleted as a whole, when all that it may have has expired.
    span = int(series.get('bucketMaxSpanSeconds', 0))
    tell_expired(world, findings, namespace, pseudo, said, span)
    return True


def _require_understood(world: World, database: str, command: Document) -> None:
    """Have the server judge options, as it does since 5.0; raises what it raises.

    It is asked about a collection that does not exist, so there is nothing to change.
    """
    plain = {key: command[key] for key in command if key != 'writeConcern'}
    tried = {**plain, 'collMod': scratch(), 'maxTimeMS': JUDGED_MS}
    try:
        world.database(database).command(tried, session=world.outside)
    except OperationFailure as error:
        if error.code not in (NAMESPACE_NOT_FOUND, OUT_OF_TIME, UNAUTHORIZED):
            raise


def _validate(
    world: World,
    namespace: str,
    known: Known,
    changed: Document,
    findings: list[Foretold],
) -> None:
    """Have another validator there, or the same one with another say."""
    if known.options.get('validator'):
        world.loosened.add(namespace)
    world.constraints.drop_validator(namespace)
    options = {**known.options, **changed}
    names = 'the validator' if changed.get('validator') else ', '.join(changed)
    text = f'would change {names} of {namespace}'
    if not options.get('validator'):
        findings.append(Foretold(text))
        return
    found = checks.misfits(world, namespace, options['validator'])
    said = f'{found.amount} of them do not fit' if found.number else 'all of them fit'
    if found.unknown:
        said = f'not looked through: {found.unknown}'
    text = f'{text}: {world.documents(namespace)}, {said}'
    is_strict = is_enforced(options) and options.get('validationLevel') != 'moderate'
    obstacle = MISFITS if found.number and is_strict else ''
    number = found.number
    findings.append(Foretold(text, found.values, obstacle, namespace, '', number))
    world.constraints.add_validator(namespace, options, found.number)


def _require_validator(world: World, database: str, validator: Any) -> None:
    """Have the server judge a validator; raises what it raises."""
    with probing(world.client) as session:
        world.database(database).command(
            {'create': scratch(), 'validator': validator}, session=session
        )


def _modify_index(
    world: World,
    known: Known,
    change: Document,
    namespace: str,
    findings: list[Foretold],
) -> Document:
    """Change an index as it is to be seen; give what the server says of it."""
    index = _index_meant(known, change, namespace)
    options = {key: change[key] for key in change if key not in ('name', 'keyPattern')}
    if not options:
        raise refused(72, 'InvalidOptions', 'no option of an index to change')
    if index['name'] == '_id_' and 'hidden' in options:
        raise refused(2, 'BadValue', "can't hide _id index")
    if 'expireAfterSeconds' in options and 'expireAfterSeconds' not in index:
        _require_expirable(world, index)
    said = f'would change index {namespace}.{index["name"]}'
    becomes_unique = bool(options.get('unique') and not index.get('unique'))
    if becomes_unique:
        _make_unique(world, index, namespace, findings)
    changed = {**index, **options}
    world.expiring.drop_index(namespace, index)
    if expires(changed) and is_sooner(index.get(OPTION), changed[OPTION]):
        tell_expired(world, findings, namespace, changed, said)
    elif not becomes_unique:
        findings.append(Foretold(said))
    reply = {}
    for option, value in options.items():
        reply[f'{option}_old'] = index.get(option)
        reply[f'{option}_new'] = index[option] = value
    if index.get('unique'):
        index.pop('prepareUnique', None)
    return {key: value for key, value in reply.items() if value is not None}


def _require_expirable(world: World, index: Document) -> None:
    if world.version < MADE_TO_EXPIRE:
        text = 'no expireAfterSeconds field to update'
    elif index['name'] == '_id_' or len(index['key']) > 1:
        text = 'TTL indexes are single-field indexes, and not that of _id'
    else:
        return
    raise refused(72, 'InvalidOptions', text)


def _index_meant(known: Known, change: Document, namespace: str) -> Document:
    if ('name' in change) is ('keyPattern' in change):
        text = 'Must specify either index name or key pattern.'
        raise refused(72, 'InvalidOptions', text)
    if 'keyPattern' in change:
        return index_of_keys(known, change['keyPattern'])
    if change['name'] not in known.indexes:
        text = f'cannot find index {change["name"]} for ns {namespace}'
        raise refused(27, 'IndexNotFound', text)
    return known.indexes[change['name']]


def _make_unique(
    world: World, index: Document, namespace: str, findings: list[Foretold]
) -> None:
    """Have an index be unique from now on; raises what the server would raise."""
    if not index.get('prepareUnique'):
        text = "Cannot make index unique with 'prepareUnique=false'."
        raise refused(72, 'InvalidOptions', text)
    name, documents = index['name'], world.documents(namespace)
    found = checks.duplicates(world, namespace, index)
    tell_unique(findings, namespace, name, documents, found)
    if found.values:
        text = 'Cannot convert the index to unique.'
        raise refused(359, 'CannotConvertIndexToUnique', text)
    world.constraints.add_index(namespace, index)
