"""Databases as a fabfile gives them: what cannot be, and new ones among them."""

from __future__ import annotations

from textwrap import dedent, indent

from tests.fleets import FABFILE, PICKY, FleetTest

BASE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        %s

    migrations = Migrations.create_task()
"""


class MethodTest(FleetTest):
    """A method `databases` that gives something else, or raises."""

    letters = 'a'

    def given_by(self, body: str) -> None:
        method = indent(dedent(body).strip(), ' ' * 8).strip()
        self.write('fabfile.py', self.filled(BASE) % method)

    def test_what_are_no_databases_is_said(self) -> None:
        """It may have passwords in it, so it is not shown."""
        for body, said in (
            ('def databases(self): return None', 'it is None'),
            ('def databases(self): return 5', 'it is of the type int'),
            # Its values would be passed over.
            ("def databases(self): return {'a': {'x': 's3cret'}}", 'the type dict'),
            ("def databases(self): return ['a', 7]", 'one of them is of the type int'),
            ("databases = ['a']", 'A list of them is MONGO_DATABASES'),
            (
                'def databases(self): return []',
                'The method databases names no database',
            ),
            ("def databases(self): return ['nix_*']", 'Correct the method databases'),
            (
                "def databases(self): return [('a', {'MONGO_USER_PASS': ['s3cret']})]",
                'a: MONGO_USER_PASS must be',
            ),
            (
                'def databases(self): return self.db.list_collection_names()',
                'The method databases has no self.db',
            ),
        ):
            with self.subTest(body):
                self.given_by(body)
                result = self.assert_error(
                    self.fab('migrations:execute'),
                    said,
                    'in the fabfile, then type: fab migrations\n',
                )
                self.assertNotIn('Traceback', result.stderr)
                self.assertNotIn('s3cret', result.stderr)

    def test_settings_name_the_method(self) -> None:
        for body, row in (
            (
                "def databases(self): return ['s3cret']",
                r'MONGO_DATABASES +\(the method databases\) +Migrations in fabfile.py',
            ),
            # A command of the fabfile's own, and nothing at all.
            (
                'databases = migopy.task(lambda self: None)',
                r'MONGO_DATABASES +None +default',
            ),
            ('x = 1', r'MONGO_DATABASES +None +default'),
        ):
            with self.subTest(body):
                self.given_by(body)
                shown = self.assert_ok(self.fab('migrations:settings', COLUMNS='200'))
                self.assertRegex(shown.stdout, row)
                self.assertNotIn('s3cret', shown.said)

    def test_what_it_raises_is_shown_from_the_fabfile_on(self) -> None:
        self.given_by("""
            def databases(self):
                yield 'a'
                open('/nowhere/tenants.json')
        """)
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1)
        self.assertRegex(
            result.stderr,
            '^The method databases has failed, so nothing was done.\n'
            'Traceback .*\n'
            '  File ".*fabfile.py", line 8, in databases\n'
            "    open\\('/nowhere/tenants.json'\\)\n"
            # From Python 3.13 on the call is marked.
            '( +[~^]+\n)?'
            'FileNotFoundError: .*\n'
            'Correct it in the fabfile, then type: fab migrations\n$',
        )

    def test_one_server_is_one_however_it_is_named(self) -> None:
        host, port = self.uri.split('/')[2].split(':')
        self.migration('001_a.py', PICKY)
        name = self.name('a')
        self.given_by(f"""
            def databases(self):
                yield {name!r}
                own = {{'MONGO_URI': None, 'MONGO_PORT': {port}}}
                yield {name!r}, {{**own, 'MONGO_HOST': {host!r}}}
        """)
        said = self.shown(self.assert_ok(self.fab('migrations:execute')))
        self.assertRegex(said, '^1 database on ')
        self.assertIn('a: 001_a.py executed', said)

    def test_a_server_that_would_not_count_is_refused(self) -> None:
        self.migration('001_a.py', PICKY)
        name = self.name('a')
        for setting in ("'MONGO_HOST': 'nowhere.invalid'", "'MONGO_PORT': 1"):
            self.given_by(f"""
                def databases(self):
                    yield {name!r}, {{{setting}}}
            """)
            self.assert_error(
                self.fab('migrations:execute'),
                f'{name}: {setting[1:11]} has no effect beside the MONGO_URI',
            )
        self.assertEqual(self.names_in('a'), [])


class NewTest(FleetTest):
    """`NEW_DATABASES = 'ignore'`: what is new begins with all that there is."""

    letters = 'a'
    fabfile = FABFILE.replace(
        'MONGO_URI', "NEW_DATABASES = 'ignore'\n        MONGO_URI"
    )

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', PICKY)
        self.migration('002_b.py', PICKY)

    def ran(self) -> int:
        return self.client[self.name('a')].ran.count_documents({})

    def test_it_holds_for_one_that_is_named(self) -> None:
        only = f'only={self.name("a")}'
        self.assert_ok(self.fab(f'migrations:execute,{only}'))
        self.assertEqual(self.names_in('a'), ['001_a.py', '002_b.py'])
        self.assertEqual(self.ran(), 0)

    def test_and_up_to_one(self) -> None:
        self.assert_ok(self.fab('migrations:execute,to=1'))
        self.assertEqual((self.names_in('a'), self.ran()), (['001_a.py'], 0))

    def test_a_dry_run_says_so(self) -> None:
        for more in ('', f',only={self.name("a")}'):
            result = self.assert_ok(self.fab(f'migrations:execute,dry_run=yes{more}'))
            said = self.shown(result)
            self.assertIn('marked as applied: 001_a.py, 002_b.py', said)
            self.assertNotIn('would do', said)
            self.assertEqual(self.names_in('a'), [])

    def test_a_dry_run_up_to_one_says_no_more_than_is_marked_then(self) -> None:
        for more in ('', f',only={self.name("a")}'):
            result = self.fab(f'migrations:execute,to=1,dry_run=yes{more}')
            said = self.shown(self.assert_ok(result))
            self.assertIn('marked as applied: 001_a.py\n', said)
            self.assertNotIn('002_b.py', said)

    def test_what_is_named_is_executed(self) -> None:
        self.assert_ok(self.fab('migrations:execute,1'))
        self.assertEqual((self.names_in('a'), self.ran()), (['001_a.py'], 1))
