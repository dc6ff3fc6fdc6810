"""Definitions that are changed, and set back, while something fails."""

from __future__ import annotations

import contextlib
import functools
import pkgutil
from typing import Any
from unittest import mock

from pymongo.errors import AutoReconnect

from tests.definitions import HEAD, DefinitionsTest


class InterruptedTest(DefinitionsTest):
    """Whatever call fails first, an undo and another run end well."""

    #: Each line of it may run again.
    WHOLE = """
    there = db.list_collection_names()
    if 'z' not in there:
        if 'a' in there and 'n_1' in db.a.index_information():
            db.a.drop_index('n_1')
        migopy.update_each(db.a, lambda each: {'$set': {'n': each['_id'] + 1}})
        if 'a' in there:
            db.b.drop()
            db.a.rename('b')
        db.v.drop()
        db.c.create_index('c')
        db.c.drop()
        db.b.rename('z')
    db.z.create_index('z')
    db.z.drop_indexes()
"""

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', HEAD + self.WHOLE)
        self.left = 0

    def fail_at(self, number: int, after: bool) -> contextlib.ExitStack:
        """Fail before or after so many of the calls that define something."""
        self.left = number
        stack = contextlib.ExitStack()
        for path in (
            'migopy.undo.definition_keeper.add_record',
            'migopy.undo.definition_keeper.note_outcome',
            'migopy.undo.set_aside.Asides.rename',
            'migopy.undo.definition_restorer.DefinitionRestorer.apply',
            'migopy.undo.images.Images.drop_chunks',
            'migopy.undo.images.Images.begin_undo',
            'migopy.undo.made_collections._set_aside',
            'migopy.undo.made_collections._drop',
        ):
            module, _, name = path.rpartition('.')
            original = getattr(pkgutil.resolve_name(module), name)
            stack.enter_context(mock.patch(path, self.failing(original, after)))
        return stack

    def failing(self, original: Any, after: bool) -> Any:
        @functools.wraps(original)
        def call(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0 and not after:
                raise AutoReconnect
            result = original(*arguments, **named)
            if self.left == 0:
                raise AutoReconnect
            return result

        return call

    def test_up(self) -> None:
        for after in (False, True):
            # A part of them: all take minutes.
            for number in range(1 + after, 100, 4):
                with self.subTest(number=number, after=after):
                    with self.fail_at(number, after), contextlib.suppress(Exception):
                        self.manager().execute()
                    if self.left > 0:
                        self.manager().rollback('001')
                        break
                    if number % 2:
                        self.manager().execute('001')
                    if number % 2 or self.db.migrations_history.find_one():
                        self.manager().rollback('001')
                    self.assert_undone()

    def test_undo(self) -> None:
        for after in (False, True):
            # A part of them: all take minutes.
            for number in range(1 + after, 100, 4):
                with self.subTest(number=number, after=after):
                    self.manager().execute()
                    with self.fail_at(number, after), contextlib.suppress(Exception):
                        self.manager().rollback('001')
                    if self.left > 0:
                        break
                    if self.registered():
                        self.manager().rollback('001', undo='yes')
                    self.assert_undone()
