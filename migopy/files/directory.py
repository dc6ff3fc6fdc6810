"""The folder of migrations: its files in order. Disk only, never the database."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec

from migopy.commands import Command
from migopy.errors import MigopyException, listing
from migopy.files.migration import Migration, import_file


class NoDirectory(MigopyException):
    """The migrations directory cannot be listed; `path` is where it was looked for."""

    def __init__(self, path: str, cause: OSError) -> None:
        self.path = path
        super().__init__(
            f'Migrations directory {path}: {cause.strerror}.\n'
            'Make it with a first migration: ',
            Command('create', 'what_it_does'),
            '\nor set MIGRATIONS_DIRECTORY in the fabfile, then type: ',
            Command(),
        )


class BadFileNames(MigopyException):
    """Files that are no migrations lie among them; `names` are theirs."""

    def __init__(self, names: list[str], pattern: str) -> None:
        self.names = names
        super().__init__(
            'Found files whose names do not fit MIGRATIONS_FILE_PATTERN '
            f'({pattern}):\n{listing(names)}\n'
            'Rename them (001_add_index.py), or begin the name of a helper with _, '
            'then type: ',
            Command(),
        )


class BadPattern(MigopyException):
    """`MIGRATIONS_FILE_PATTERN` cannot be used; `pattern` is its text."""

    def __init__(self, pattern: str, reason: str) -> None:
        self.pattern = pattern
        super().__init__(
            f'MIGRATIONS_FILE_PATTERN {pattern!r} {reason}. Correct it in the '
            r'fabfile, for example: (?P<migr_nr>[0-9]+)_[a-z0-9_]+\.py'
        )


class NotCreated(MigopyException):
    """A new migration file could not be written."""


#: What a new migration looks like; `{title}` stands for what was typed.
TEMPLATE = '''"""{title}."""


def up(db):
    """Change the data; `db` is a pymongo Database."""


def down(db):
    """Undo what up did."""
'''


class FileNames:
    """Which file names are migrations, and in what order they run.

    Invariant: every `.py` name either fits the pattern, begins with `_`, or is an
    error: no migration is passed over because of its name.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        try:
            self._regex = re.compile(pattern)
        except re.error as error:
            raise BadPattern(pattern, f'is no regular expression: {error}') from error
        if 'migr_nr' not in self._regex.groupindex:
            raise BadPattern(pattern, 'has no group (?P<migr_nr>…) for the number')

    def sorted(self, names: Iterable[str]) -> list[tuple[int, str]]:
        """Order by number, equal numbers by name.

        The pattern is matched from the start of the name, as in 1.0. Raises
        `BadFileNames`.
        """
        numbered: list[tuple[int, str]] = []
        bad: list[str] = []
        matching = self._regex.match
        for name in names:
            if name.startswith('_') or not name.endswith('.py'):
                continue
            match = matching(name)
            number = match['migr_nr'] if match else None
            if number is not None and number.isdecimal():
                numbered.append((int(number), name))
            else:
                bad.append(name)
        if bad:
            raise BadFileNames(sorted(bad), self.pattern)
        return sorted(numbered)


class Directory:
    """The folder that holds the migrations.

    Invariant: it is read with one listing, and only `prepare` writes to it.
    """

    def __init__(self, base: str, relative: str, file_names: FileNames) -> None:
        """Name the folder `relative`, which lies in `base` unless it is absolute."""
        self.base = base
        self.path = os.path.normpath(os.path.join(base, relative))
        self._file_names = file_names
        inside = os.path.relpath(self.path, base)
        if inside.split(os.sep)[0] in (os.pardir, os.curdir):
            inside = os.path.basename(self.path)
        #: The name under which the folder is imported, `db.steps` for `db/steps`; a
        #: dot within a folder's name would be taken for another folder.
        self.package = inside.replace('.', '_').replace(os.sep, '.')

    def migrations(self) -> list[Migration]:
        """List the migrations in order; raises `NoDirectory`, `BadFileNames`."""
        return [
            Migration(name, number, self.path)
            for number, name in self._file_names.sorted(self._listing())
        ]

    def create(self, title: str, template: str = TEMPLATE) -> str:
        """Write a new migration file from a template, and give its path.

        Its number comes after the highest, as wide as that one is written; the
        folder is made where there is none. In the template `{title}` stands for the
        title as a sentence and `{name}` for the file's name. Never overwrites. Raises
        `NotCreated`.
        """
        slug = _slug(title)
        if not slug:
            raise NotCreated(
                'Say in a few words, with letters from a to z, what the migration'
                ' does: ',
                Command('create', 'add_user_index'),
            )
        try:
            os.makedirs(self.path, exist_ok=True)
            name = f'{self._next_number()}_{slug}.py'
            self._require_fitting(name)
            path = os.path.join(self.path, name)
            # 'x': whatever stands there is somebody's work.
            with open(path, 'x', encoding='utf-8') as file:
                text = template.replace('{name}', name)
                file.write(text.replace('{title}', _sentence(title)))
        except OSError as error:
            raise NotCreated(f'The migration could not be written: {error}') from error
        return path

    def _next_number(self) -> str:
        migrations = self.migrations()
        if not migrations:
            return '001'
        last = migrations[-1]
        written = re.search(f'0*{last.number}', last.name)
        return str(last.number + 1).zfill(len(written[0]) if written else 1)

    def _require_fitting(self, name: str) -> None:
        try:
            self._file_names.sorted([name])
        except BadFileNames as error:
            raise NotCreated(
                f'{name} would not fit MIGRATIONS_FILE_PATTERN'
                f' ({self._file_names.pattern}). Make the file by hand.'
            ) from error

    def _listing(self) -> list[str]:
        try:
            with os.scandir(self.path) as entries:
                names = [
                    entry.name
                    for entry in entries
                    if entry.name.endswith('.py') and not entry.is_dir()
                ]
        except OSError as error:
            raise NoDirectory(self.path, error) from error
        if '__init__.py' not in names:
            self._make_package()
        return names

    def _make_package(self) -> None:
        # As in 1.0. Nothing depends on it, so a read-only folder is fine.
        with contextlib.suppress(OSError):
            open(os.path.join(self.path, '__init__.py'), 'x').close()

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Make the project's modules importable for a migration, as in 1.0.

        Inside, the folder of the fabfile is first on `sys.path`, and the migrations
        directory is the package `self.package`, so that `import mymodels` and
        `from . import helpers` work in a migration. Raises `ImportFailed` if the
        folder's `__init__.py` fails.
        """
        sys.path.insert(0, self.base)
        try:
            self._import_package()
            yield
        finally:
            with contextlib.suppress(ValueError):
                sys.path.remove(self.base)

    def _import_package(self) -> None:
        imported = sys.modules.get(self.package)
        if self.path in getattr(imported, '__path__', ()):
            return
        # A folder of the same name, of another project, was imported in this process.
        for name in list(sys.modules):
            if name == self.package or name.startswith(f'{self.package}.'):
                del sys.modules[name]
        init = os.path.join(self.path, '__init__.py')
        if os.path.exists(init):
            import_file(self.package, init, folder=self.path)
        else:
            spec = ModuleSpec(self.package, None, is_package=True)
            spec.submodule_search_locations = [self.path]
            sys.modules[self.package] = module_from_spec(spec)


def read_template(path: str) -> str:
    """Read a team's own template; raises `NotCreated`."""
    try:
        with open(path, encoding='utf-8') as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error if isinstance(error, OSError) else f'{path} is not UTF-8'
        raise NotCreated(
            f'MIGRATION_TEMPLATE cannot be read: {reason}.'
            ' Correct it in the fabfile, then type the command again.'
        ) from error


def _slug(title: str) -> str:
    plain = unicodedata.normalize('NFKD', _without_ending(title)).casefold()
    ascii_only = plain.encode('ascii', 'ignore').decode()
    return re.sub('[^a-z0-9]+', '_', ascii_only).strip('_')


def _sentence(title: str) -> str:
    """Set a title as it can stand in a docstring: `add_user_index` in words."""
    words = _without_ending(title)
    if ' ' not in words:
        words = words.replace('_', ' ').strip()
    words = words.replace('\\', '/').replace('"', "'")
    return words[:1].upper() + words[1:]


def _without_ending(title: str) -> str:
    title = title.strip()
    return title[: -len('.py')] if title.endswith('.py') else title


def project_directory(manager_class: type) -> str:
    """Find the folder beside whose fabfile relative paths lie.

    That is the fabfile which `fab` runs, else the module `fabfile` in which the
    class was written, else the working directory, as in 1.0.
    """
    # Looked up, not imported: without Fabric there is no fabfile that it runs.
    state = sys.modules.get('fabric.state')
    running: str | None = state.env.get('real_fabfile') if state else None
    if running:
        return os.path.dirname(os.path.abspath(running))
    for cls in manager_class.__mro__:
        if cls.__module__.split('.')[0] == 'fabfile':
            file: str | None = getattr(sys.modules.get('fabfile'), '__file__', None)
            if file:
                folder = os.path.dirname(os.path.abspath(file))
                is_package = os.path.basename(file) == '__init__.py'
                return os.path.dirname(folder) if is_package else folder
    return os.getcwd()


@contextmanager
def cwd_in_syspath() -> Iterator[None]:
    """Put the working directory first on `sys.path` for a while (a name of 1.0)."""
    directory = os.getcwd()
    sys.path.insert(0, directory)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(directory)
