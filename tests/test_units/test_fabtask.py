"""The task function: a subtask in, a result or an exit status out; no server."""

from __future__ import annotations

import inspect
import os
import signal
import unittest
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest import mock

from fabric.state import env

from migopy.commands import Command
from migopy.errors import MigopyException, StopTaskExecution
from migopy.face import fab as fabtask
from migopy.tell import Voice


class Logger:
    """Keeps what is said, as pairs of colour and message."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def red(self, message: object) -> None:
        self.said.append(('red', str(message)))


class Manager:
    """What a task needs of a manager; `perform` does what the test puts there."""

    TASK_NAME = 'migrations'
    REMOTE_DIRECTORY = None
    REMOTE_PREFIX = None
    logger: Logger
    told: BaseException | None = None
    events: list[Any]
    action: Callable[[], Any] = staticmethod(lambda: 'result')

    def __init__(self) -> None:
        self.events.append('made')

    @classmethod
    def task_hook(cls, subtask: str | None, option: str | None) -> None:
        cls.events.append((cls.__name__, subtask, option))

    @classmethod
    def wants_json(cls, subtask: str | None, options: Mapping[str, str]) -> bool:
        return False

    @classmethod
    def speaker(cls) -> Voice:
        return Voice(cls.logger)

    def perform(
        self, subtask: str | None, values: Sequence[str], options: Mapping[str, str]
    ) -> Any:
        self.events.append((subtask, list(values), dict(options)))
        return self.action()

    def has_told(self, error: BaseException) -> bool:
        return error is self.told

    def tell(self, error: BaseException) -> None:
        """Say an error and raise it, as a failing migration does."""
        self.logger.red('told')
        self.told = error
        raise error

    def disconnect(self) -> None:
        self.events.append('disconnected')


class TaskTest(unittest.TestCase):
    under_fab = False

    def setUp(self) -> None:
        class Migrations(Manager): ...

        self.manager_class = Migrations
        self.logger = Migrations.logger = Logger()
        self.events = Migrations.events = []
        self.task = fabtask.create(Migrations)
        for patch in (
            mock.patch.dict(env, command='migrations' if self.under_fab else None),
            mock.patch.object(fabtask, 'settle'),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def act(self, action: Callable[..., Any]) -> None:
        """Let `perform` do this."""
        self.manager_class.action = action  # type: ignore[assignment]

    def raises(self, error: BaseException) -> None:
        def action(manager: Manager) -> None:
            raise error

        self.act(action)

    def tells(self, error: BaseException) -> None:
        self.act(lambda manager: manager.tell(error))

    def exits(self, *values: str, **options: str) -> Any:
        with self.assertRaises(SystemExit) as caught:
            self.task(*values, **options)
        return caught.exception.code


class CreateTest(TaskTest):
    def test_gives_a_plain_function_with_a_help_line(self) -> None:
        self.assertTrue(inspect.isfunction(self.task))
        self.assertEqual(self.task.__name__, 'migrations')
        self.assertIn('Show unregistered', self.task.__doc__ or '')

    def test_whose_details_fab_can_show(self) -> None:
        from fabric.tasks import get_task_details

        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # Fabric3's own
            self.assertIn('Show unregistered', get_task_details(self.task))

    def test_named_as_the_class_says(self) -> None:
        self.manager_class.TASK_NAME = 'migr'
        self.assertEqual(fabtask.create(self.manager_class).__name__, 'migr')

    def test_which_fabric_s_own_task_can_wrap(self) -> None:
        from fabric.api import task

        wrapped = task(self.task)
        self.assertEqual(wrapped.name, 'migrations')
        self.assertEqual(wrapped('execute'), 'result')


class PlainPythonTest(TaskTest):
    def test_hook_comes_first_and_disconnecting_last(self) -> None:
        self.assertEqual(self.task('mytask', 'a', key='b'), 'result')
        self.assertEqual(
            self.events,
            [
                ('Migrations', 'mytask', 'a,key=b'),
                'made',
                ('mytask', ['a'], {'key': 'b'}),
                'disconnected',
            ],
        )

    def test_no_subtask_and_no_options(self) -> None:
        self.task()
        self.assertEqual(self.events[0], ('Migrations', None, None))
        self.assertEqual(self.events[2], (None, [], {}))

    def test_the_hook_gets_options_as_they_were_typed(self) -> None:
        self.task('mytask', 'a,b', '', k='c=d')
        self.assertEqual(self.events[0][2], r'a\,b,,k=c\=d')

    def test_an_option_of_any_name_reaches_the_subtask(self) -> None:
        options = {'subtask': 'a', 'values': 'b', 'options': 'c', 'self': 'd'}
        self.task('mytask', **options)
        self.assertEqual(self.events[2], ('mytask', [], options))

    def test_the_subtask_may_be_given_by_its_name(self) -> None:
        self.task(subtask='mytask')
        self.assertEqual(self.events[2], ('mytask', [], {}))

    def test_the_hook_may_lack_its_classmethod(self) -> None:
        def task_hook(cls: type[Manager], subtask: str, option: str) -> None:
            cls.events.append(('plain', cls.__name__, subtask, option))

        self.manager_class.task_hook = task_hook  # type: ignore[assignment]
        self.task('mytask', 'a')
        self.assertEqual(self.events[0], ('plain', 'Migrations', 'mytask', 'a'))

    def test_the_hook_may_be_static(self) -> None:
        hook = staticmethod(lambda subtask, option: self.events.append('static'))
        self.manager_class.task_hook = hook  # type: ignore[assignment]
        self.task('mytask')
        self.assertEqual(self.events[0], 'static')

    def test_a_folder_there_that_is_none_is_told_before_it_is_sent(self) -> None:
        """With '' the command would run in whatever folder one is in there."""
        for name, value in (
            ('REMOTE_DIRECTORY', ''),
            ('REMOTE_DIRECTORY', 3),
            ('REMOTE_PREFIX', ['. venv/bin/activate']),
        ):
            with (
                self.subTest(name, value=value),
                mock.patch.object(self.manager_class, name, value),
                mock.patch.dict(env, {'host_string': 'h'}),
                mock.patch.object(fabtask, 'run_there', self.fail),
            ):
                self.events.clear()
                self.task('execute')
                [(_, said)] = self.logger.said[-1:]
                self.assertIn(f'{name} = {value!r} must be a ', said)
                self.assertNotIn('made', self.events)

    def test_stop_in_the_hook_ends_it_before_there_is_a_manager(self) -> None:
        with mock.patch.object(
            self.manager_class, 'task_hook', side_effect=StopTaskExecution
        ):
            self.assertIsNone(self.task('mytask'))
        self.assertEqual((self.events, self.logger.said), ([], []))

    def test_stop_in_the_subtask_ends_it_quietly(self) -> None:
        self.raises(StopTaskExecution())
        self.assertIsNone(self.task('mytask'))
        self.assertEqual(self.events[-1], 'disconnected')
        self.assertEqual(self.logger.said, [])

    def test_an_error_of_migopy_s_is_red_and_not_raised(self) -> None:
        self.manager_class.TASK_NAME = 'migr'
        self.raises(MigopyException('Type: ', Command()))
        self.assertIsNone(self.task('mytask'))
        self.assertEqual(self.logger.said, [('red', 'Type: fab migr')])
        self.assertEqual(self.events[-1], 'disconnected')

    def test_so_is_one_of_the_hook(self) -> None:
        with mock.patch.object(
            self.manager_class, 'task_hook', side_effect=MigopyException('odd')
        ):
            self.assertIsNone(self.task('mytask'))
        self.assertEqual(self.logger.said, [('red', 'odd')])

    def test_any_other_error_propagates(self) -> None:
        for error in (ValueError('odd'), KeyboardInterrupt(), SystemExit(3)):
            with self.subTest(repr(error)):
                self.raises(error)
                with self.assertRaises(type(error)) as caught:
                    self.task('mytask')
                self.assertIs(caught.exception, error)
                self.assertEqual(self.events[-1], 'disconnected')
        self.assertEqual(self.logger.said, [])

    def test_what_a_migration_raised_propagates(self) -> None:
        self.tells(ValueError('odd'))
        with self.assertRaises(ValueError):
            self.task('execute')

    def test_an_error_of_migopy_s_that_a_migration_raised_is_told_once(self) -> None:
        self.tells(MigopyException('odd'))
        self.assertIsNone(self.task('execute'))
        self.assertEqual(self.logger.said, [('red', 'told')])

    def test_signals_are_left_alone(self) -> None:
        seen: list[Any] = []
        self.act(lambda manager: seen.append(signal.getsignal(signal.SIGTERM)))
        before = signal.getsignal(signal.SIGTERM)
        self.task('mytask')
        self.assertEqual(seen, [before])


class UnderFabTest(TaskTest):
    under_fab = True

    def test_the_result_is_given_all_the_same(self) -> None:
        self.assertEqual(self.task('mytask'), 'result')

    def test_stop_is_no_failure(self) -> None:
        self.raises(StopTaskExecution())
        self.assertIsNone(self.task('mytask'))

    def test_an_error_of_migopy_s_is_red_and_the_status_1(self) -> None:
        self.raises(MigopyException('odd'))
        self.assertEqual(self.exits('mytask'), 1)
        self.assertEqual(self.logger.said, [('red', 'odd')])
        self.assertEqual(self.events[-1], 'disconnected')

    def test_what_has_been_told_is_not_told_again(self) -> None:
        """Whatever a migration raises: a `sys.exit(0)` in it is a failure."""
        for error in (
            ValueError('odd'),
            MigopyException('odd'),
            StopTaskExecution(),
            SystemExit(0),
        ):
            with self.subTest(repr(error)):
                self.logger.said.clear()
                self.tells(error)
                self.assertEqual(self.exits('execute'), 1)
                self.assertEqual(self.logger.said, [('red', 'told')])

    def test_ctrl_c_is_130(self) -> None:
        self.raises(KeyboardInterrupt())
        self.assertEqual(self.exits('mytask'), 130)
        self.assertEqual(self.logger.said, [('red', 'Interrupted.')])

    def test_ctrl_c_in_a_migration_is_told_once(self) -> None:
        self.tells(KeyboardInterrupt())
        self.assertEqual(self.exits('execute'), 130)
        self.assertEqual(self.logger.said, [('red', 'told')])

    def test_ctrl_c_in_the_hook_is_130(self) -> None:
        with mock.patch.object(
            self.manager_class, 'task_hook', side_effect=KeyboardInterrupt
        ):
            self.assertEqual(self.exits('mytask'), 130)
        self.assertEqual(self.logger.said, [('red', 'Interrupted.')])

    def test_an_error_of_a_subtask_s_own_is_left_to_fabric(self) -> None:
        self.raises(ValueError('odd'))
        with self.assertRaises(ValueError):
            self.task('mytask')
        self.assertEqual(self.logger.said, [])

    def test_other_signals_end_it_as_ctrl_c_does(self) -> None:
        for number, status in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.subTest(number):

                def action(manager: Manager, number: int = number) -> None:
                    os.kill(os.getpid(), number)
                    signal.pause()

                self.act(action)
                self.assertEqual(self.exits('mytask'), status)
                self.assertIs(signal.getsignal(number), signal.SIG_DFL)
                self.assertEqual(self.events[-1], 'disconnected')

    def test_an_ignored_signal_stays_ignored(self) -> None:
        """As under `nohup`."""
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        self.act(lambda manager: os.kill(os.getpid(), signal.SIGHUP) or 'went on')
        self.assertEqual(self.task('mytask'), 'went on')
