"""`db.connection` and `db.system_js`, which used to be no collections.

As collections of these names they work as in PyMongo 4. What may have meant the client,
or a function on the server, is refused: otherwise it would silently do something else,
or nothing.
"""

from __future__ import annotations

from typing import Any, NoReturn

from migopy.pymongo3.collection import LegacyCollection, options_of
from migopy.pymongo3.methods import COLLECTION_METHODS
from migopy.pymongo3.refusals import REFUSED_CONNECTION_METHODS, refuse


class ConnectionCollection(LegacyCollection):
    """`db.connection`, or what follows it: a collection, or PyMongo 2's client.

    Invariant: `db.connection` and `db.connection.log` are the collections of these
    names. No collection below is reached through them, as another database's may be
    meant; `db['connection.log.old']` reaches them all.
    """

    def __getitem__(self, name: str) -> LegacyCollection:
        self._refuse_below(name)

    def __getattr__(self, name: str) -> LegacyCollection:
        if name in COLLECTION_METHODS:
            return super().__getitem__(name)
        if name.startswith('_'):
            raise AttributeError(f'{type(self).__name__} has no attribute {name!r}')
        if '.' in self.name:
            self._refuse_below(name)
        return ConnectionCollection(
            self.database,
            f'{self.name}.{name}',
            deprecations=self._deprecations,
            **options_of(self),
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse a call of the client's."""
        if '.' in self.name:
            method = self.name.rpartition('.')[2]
            advice = REFUSED_CONNECTION_METHODS.get(
                method, f'write db.client.{method}() instead'
            )
            refuse(f'db.connection.{method}()', advice)
        return super().__call__(*args, **kwargs)

    def _refuse_below(self, name: str) -> NoReturn:
        _, *above = self.name.split('.')
        place = ''.join(f'[{each!r}]' for each in (*above, name))
        refuse(
            'db.connection',
            f"write db.client{place} for the client's database of that name,"
            f' or db[{f"{self.name}.{name}"!r}] for the collection',
        )


class SystemJsCollection(LegacyCollection):
    """`db.system_js`, or what follows it: a collection, or PyMongo 3's functions.

    Invariant: nothing is set on it, deleted from it or called of it.
    """

    def __getitem__(self, name: str) -> LegacyCollection:
        return SystemJsCollection(
            self.database,
            f'{self.name}.{name}',
            deprecations=self._deprecations,
            **options_of(self),
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run a dropped method of the collection; refuse a function's call."""
        name = self.name.rpartition('.')[2]
        is_function = '.' in self.name and name not in COLLECTION_METHODS
        if is_function and name == 'list':
            refuse('db.system_js.list()', "write db['system.js'].distinct('_id')")
        if is_function:
            refuse(
                f'db.system_js.{name}(…)',
                'do the work in Python, as MongoDB 4.2 runs no stored function any'
                ' more',
            )
        return super().__call__(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith('_'):
            super().__setattr__(name, value)
        else:
            self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        document = f"{{'_id': {name!r}}}, {{'value': bson.Code('…')}}"
        refuse(
            f'db.system_js.{name} = …',
            f"write db['system.js'].replace_one({document}, upsert=True) instead",
        )

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __delitem__(self, name: str) -> None:
        refuse(
            f'del db.system_js.{name}',
            f"write db['system.js'].delete_one({{'_id': {name!r}}}) instead",
        )
