"""What an error names to be typed next runs no more than what was typed would have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from migopy import MigopyException
from migopy.commands import Again, Command
from migopy.face import call
from migopy.files import ImportFailed
from tests.project import PlainTest

RAN = """
    def up(db):
        db.ran.insert_one({'name': __name__.rpartition('.')[2]})

    def down(db):
        db.undone.insert_one({'name': __name__.rpartition('.')[2]})
"""

RAN_AFTER = f"""
    phase = 'after'
{RAN}"""

#: What keeps `002_b.py` from running: the lines of it that are there in addition.
FAULTS = {
    'it cannot be imported': 'import no_such_module',
    'it does not parse': 'up = = 1',
    'it has no up': 'del up',
    'its up takes too much': 'up = lambda db, more: None',
    'it says transaction wrongly': "transaction = 'yes'",
    'it says parallel wrongly': "parallel = 'no'",
    'it says undo wrongly': "undo = 'maybe'",
    'it says phase wrongly': "phase = 'never'",
    'it needs what is nowhere': "needs = ['000_gone.py']",
    'it needs what comes later': "needs = ['003_c.py']",
    'dependencies are no list': "upgrade = up; dependencies = 'all'",
    'it yields': 'def up(db): yield',
    'it returns what is to be done': 'def up(db): return [lambda: None]',
    'it fails': 'def up(db): raise ValueError',
}

#: Commands that run migrations, or try them.
TYPED = [
    'execute',
    'execute,002_b.py',
    'execute,2',
    'execute,to=002_b.py',
    'execute,phase=before',
    'execute,phase=before,to=2',
    'execute,wait=yes,to=2',
    'execute,002_b.py,preflight=yes',
    'execute,dry_run=yes',
    'execute,002_b.py,dry_run=yes',
    'execute,to=002_b.py,dry_run=YES',
    'execute,002_b.py,show=3',
    'preflight',
    'preflight,002_b.py',
    'plan,002_b.py,file=plan.json',
    'plan,to=2,file=plan.json',
]

#: What only tries migrations.
TRYING = ('plan', 'preflight')


def is_trial(command: Command) -> bool:
    """Tell whether a command only tries, as a person would say."""
    options = command.options
    wanted = options.get('dry_run', 'no').lower() == 'yes' or 'show' in options
    return wanted or command.name in TRYING


class Ran(NamedTuple):
    """What has run for good."""

    up: frozenset[str]
    down: frozenset[str]


class NextStepTest(PlainTest):
    """Each command meets each fault; what is named then is typed, as it was named."""

    #: What has run before.
    applied: tuple[str, ...] = ()

    def setUp(self) -> None:
        super().setUp()
        self.known: dict[str, Ran] = {}
        self.performed = self.manager()

    def begin_anew(self) -> None:
        """Have all files as they should be, and applied what is to be."""
        for name in self.db.list_collection_names():
            self.db.drop_collection(name)
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.migration(name, RAN)
        self.migration('004_d.py', RAN_AFTER)
        for name in self.applied:
            self.performed.execute(name)
        self.db.drop_collection('ran')

    def spoil(self, fault: str) -> None:
        self.migration('002_b.py', f'{RAN}\n    {fault}\n')

    def perform(self, command: Command) -> Exception | None:
        """Do what was typed; give the error with which it ends, if any."""
        options = dict(command.options)
        if command.name == 'plan':
            options['file'] = str(self.folder / options.get('file', 'plan.json'))
        try:
            self.performed.perform(command.name or None, command.values, options)
        except Exception as error:
            return error
        return None

    def named(self, typed: Command, fault: str) -> list[Command]:
        """Type a command that meets a fault; give what is named to be typed next."""
        self.begin_anew()
        self.spoil(fault)
        error = self.perform(typed)
        return error.next if isinstance(error, MigopyException) else []

    def would_run(self, command: Command) -> Ran:
        """Look what a command runs where nothing is wrong."""
        key = repr(command)
        if key not in self.known:
            self.begin_anew()
            self.perform(command)
            found = (self.db[each].distinct('name') for each in ('ran', 'undone'))
            self.known[key] = Ran(*map(frozenset, found))
        return self.known[key]

    def assert_no_more(self, typed: Command, named: Sequence[Command]) -> None:
        """Type what was named, with the files mended; fail if more runs than that."""
        allowed = self.would_run(typed)
        self.assertFalse(is_trial(typed) and any(allowed))
        for command in named:
            runs = self.would_run(command)
            self.assertLessEqual(runs.up, allowed.up, command)
            self.assertLessEqual(runs.down, allowed.down, command)

    def assert_within(self, commands: Iterable[str], faults: Mapping[str, str]) -> None:
        """Fail unless whatever is named stays within what each command runs."""
        for typed in map(Command.parse, commands):
            for title, fault in faults.items():
                with self.subTest(typed=typed, fault=title):
                    self.assert_no_more(typed, self.named(typed, fault))


class ExecuteTest(NextStepTest):
    def test_a_file_that_cannot_run(self) -> None:
        self.assert_within(TYPED, FAULTS)

    def test_the_same_is_typed_again_with_all_that_was_typed(self) -> None:
        for text in TYPED:
            typed = Command.parse(text)
            with self.subTest(typed):
                [again] = self.named(typed, 'transaction = None')
                self.assertEqual(again.name, typed.name)
                self.assertEqual(again.values, typed.values)
                self.assertEqual(again.options.keys(), typed.options.keys())

    def test_who_was_sure_is_asked_again(self) -> None:
        error = MigopyException('Then type', Again())
        error.keep_within(Command('rollback', to='1', yes='yes', force='yes'))
        self.assertEqual(error.next, [Command('rollback', to='1', force='yes')])

    def test_where_nobody_knows_what_was_typed_nothing_is_named(self) -> None:
        self.begin_anew()
        self.spoil('del up')
        with self.assertRaises(MigopyException) as caught:
            self.performed.execute('2')
        self.assertRegex(str(caught.exception), 'then type the command again.$')

    def test_no_password_is_shown(self) -> None:
        on = 'mongodb://me:secret@localhost/other'
        with self.assertRaises(MigopyException) as caught:
            call(self.failing, 'rehearse', [], {'on': on})
        said = str(caught.exception)
        self.assertNotIn('secret', said)
        self.assertIn('mongodb://me:***@localhost', said)

    def failing(self, *, on: str) -> None:
        """Fail as a command does."""
        raise MigopyException('Type', Again())


class NeededTest(NextStepTest):
    def test_a_dry_run_is_led_to_no_real_one(self) -> None:
        tried = [text for text in TYPED if is_trial(Command.parse(text))]
        faults = {
            'needs what is not applied': "needs = ['001_a.py']",
            'in the background': "needs = ['001_a.py']; phase = 'background'",
        }
        self.assert_within([*tried, 'rehearse,2'], faults)

    def test_it_is_led_to_take_both(self) -> None:
        fault = "needs = ['001_a.py']"
        for text, expected in {
            'execute,2': 'execute,001_a.py',
            'execute,2,dry_run=yes': 'execute,dry_run=yes,to=002_b.py',
            'execute,2,show=3': 'execute,show=3,to=002_b.py',
            'preflight,2': 'preflight,to=002_b.py',
            'plan,2,file=plan.json': 'plan,file=plan.json,to=002_b.py',
        }.items():
            with self.subTest(text):
                named = self.named(Command.parse(text), fault)
                path = str(self.folder / 'plan.json')
                found = [str(each.options).replace(path, 'plan.json') for each in named]
                wanted = Command.parse(expected)
                self.assertEqual(found, [str(wanted.options)])
                self.assertEqual([each.values for each in named], [wanted.values])

    def test_what_is_before_the_new_code_is_run_up_to_where_it_was_meant(self) -> None:
        [named] = self.named(Command('execute', to='4', phase='after'), '')
        self.assertEqual(named, Command('execute', to='4', phase='before'))
        tried = Command('execute', phase='after', dry_run='yes')
        [named] = self.named(tried, '')
        self.assertEqual(named, Command('execute', phase='before', dry_run='yes'))


class RollbackTest(NextStepTest):
    applied = '001_a.py', '002_b.py', '003_c.py', '004_d.py'

    def test_a_file_that_cannot_be_rolled_back(self) -> None:
        faults = {
            'it has no down': 'del down',
            'it cannot be imported': 'import no_such_module',
            'its down yields': 'def down(db): yield',
            'its down fails': 'def down(db): raise ValueError',
            'it says transaction wrongly': 'transaction = 1',
        }
        typed = [
            'rollback,2',
            'rollback,last=3,yes=yes',
            'rollback,to=1,yes=yes',
            'rollback,2,undo=no',
        ]
        tried = [f'{each},dry_run=yes' for each in typed]
        self.assert_within([*typed, *tried], faults)

    def test_what_is_applied_is_not_led_to_a_rollback_by_a_look(self) -> None:
        typed = [
            'execute,2,dry_run=yes',
            'preflight,2',
            'plan,2,file=plan.json',
            'ignore,2',
            'forget,2',
            'rename,2,5',
            'up,2',
            'down,2',
            'undo,lst',
            'undo,ls',
        ]
        self.assert_within(typed, {'nothing is wrong': ''})

    def test_no_means_no(self) -> None:
        file = f'undo = transaction = True\n{RAN}\n    del down\n'
        self.begin_anew()
        self.migration('005_e.py', file.replace('\n    ', '\n'))
        self.performed.execute('5')
        for no in ('no', 'NO', False):
            with self.assertRaises(MigopyException) as caught:
                self.performed.rollback('5', undo=no)
            said = str(caught.exception)
            self.assertIn('005_e.py has no down(), and with undo=no nothing is', said)
            self.assertEqual(self.db.ran.count_documents({}), 1)
        with self.assertRaisesRegex(MigopyException, 'exclude each other'):
            self.performed.rollback('5', undo='no', conflicts='keep')
        self.performed.rollback('5')
        self.assertEqual(self.db.ran.count_documents({}), 0)

    def test_a_task_of_the_fabfile_gives_what_is_no_text(self) -> None:
        self.begin_anew()
        perform: Any = self.performed.perform
        perform('history', [20], {})
        perform('execute', [None], {'to': '2', 'phase': None, 'dry_run': False})
        self.spoil('import no_such_module')
        cases: dict[str, dict[str, object]] = {
            'last=3,dry_run=yes': {'last': 3, 'dry_run': True, 'to': None},
            'last=3,undo=no': {'last': 3, 'undo': False},
        }
        for typed, options in cases.items():
            with self.subTest(typed):
                with self.assertRaises(ImportFailed) as caught:
                    perform('rollback', [], options)
                again = Command.parse(f'rollback,{typed}')
                self.assertEqual(caught.exception.next, [again])

    def test_a_list_that_is_misspelt_is_a_list(self) -> None:
        self.begin_anew()
        for what, named in {
            'lst': Command('undo', 'list'),
            'ls': Command('undo', 'list'),
            '002': Command('rollback', '002'),
        }.items():
            with self.assertRaises(MigopyException) as caught:
                self.performed.undo(what)
            self.assertEqual(caught.exception.next, [named])
