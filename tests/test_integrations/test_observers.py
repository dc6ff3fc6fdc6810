"""An observer of one's own beside the one that tells a person."""

from __future__ import annotations

import json
from typing import Any

from migopy.operations import executing, order_up
from migopy.run import Aftermath, Failure, Observers
from tests.project import PlainTest


class JsonLines:
    """Keeps each event as a line of JSON."""

    speaker = None

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, event: str) -> Any:
        def note(*what: Any) -> None:
            said: dict[str, Any] = {'event': event}
            for each in what:
                if isinstance(each, Failure):
                    said['aftermath'] = each.aftermath.value
                    said['next'] = [command.as_document() for command in each.next]
                said.setdefault('name', getattr(each, 'name', None))
            self.lines.append(json.dumps(said))

        return note


class BesideTest(PlainTest):
    def test_each_hears_all_and_neither_changes_what_the_other_hears(self) -> None:
        self.migration('001_a.py', 'def up(db): db.a.insert_one({})')
        self.migration('002_b.py', 'def up(db): 1 / 0')
        manager, lines = self.manager(), JsonLines()
        observers: Any = Observers(manager._observer, lines)
        with self.assertRaises(ZeroDivisionError):
            executing.execute(
                manager._site, order_up(manager, 'execute', None), observers, None
            )
        events = [json.loads(line) for line in lines.lines]
        self.assertEqual(
            [each['event'] for each in events],
            [
                'planned',
                *('starting', 'stopped', 'finished'),
                *('starting', 'stopped', 'failed'),
                'over',
            ],
        )
        events.pop()
        self.assertEqual(events[-1]['name'], '002_b.py')
        self.assertEqual(events[-1]['aftermath'], Aftermath.NOTHING.value)
        self.assertEqual(
            events[-1]['next'], [{'command': 'execute', 'values': [], 'options': {}}]
        )
        [message] = self.logger.of('red')
        self.assertIn('002_b.py failed in its up', message)


class TypedTemplateTest(PlainTest):
    """A new migration is typed, so that an editor knows `db` and `update_each`."""

    def test_mypy_is_content_and_notices_a_slip(self) -> None:
        from mypy import api

        self.manager().create('names')
        [path] = (self.folder / 'mongomigrations').glob('001_*.py')
        typed = path.read_text().replace(
            '    """Change the data."""\n',
            '    counts = migopy.update_each(db.users, lambda user: None)\n'
            '    print(counts.updated, db.users.find_one())\n',
        )
        path.write_text('import migopy\n' + typed)
        # Of the file alone: an older mypy may judge migopy's own otherwise.
        alone = [
            '--strict',
            '--no-incremental',
            '--config-file=',
            '--follow-imports=silent',
        ]
        said, _, status = api.run([*alone, str(path)])
        self.assertEqual(status, 0, said)
        path.write_text(path.read_text().replace('counts.updated', 'counts.slip'))
        said, _, status = api.run([*alone, str(path)])
        self.assertEqual(status, 1)
        self.assertIn('"Counts" has no attribute "slip"', said)
