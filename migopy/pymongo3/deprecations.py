"""Tell files that they use what PyMongo 4 dropped, and give them UUIDs to match."""

from __future__ import annotations

import os
import threading
import warnings
from typing import Any, Callable

from bson.binary import Binary, UuidRepresentation
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry

from migopy.callers import Caller, calling_file
from migopy.pymongo3.refusals import UuidsReadAsBinary, uuid_advice

#: The subtypes of BSON's binary that hold a UUID.
_OLD_UUID, _UUID = 3, 4

_UNSPECIFIED = UuidRepresentation.UNSPECIFIED


class Deprecations:
    """Says that a file uses what PyMongo 4 dropped, and what to write instead.

    Invariant: each use is told at most once a file, from whatever thread, whatever the
    interpreter's warning filters remember. From its first use on, a file counts as
    written for PyMongo 3; a file that has read a UUID as PyMongo 4 gives it never does.
    """

    def __init__(self, notify: Callable[[str], None] | None = None) -> None:
        self._notify = notify
        self._said: set[tuple[str, str]] = set()
        self._old_files: set[str] = set()
        self._uuids_read: dict[str, int] = {}
        self._lock = threading.Lock()
        self._registry = TypeRegistry([_UuidDecoder(self)])

    def say(self, use: str, advice: str) -> None:
        """Warn the file that called PyMongo, unless it was told of this use before.

        Raises `DeprecationWarning` where the interpreter's filters make it an error,
        and `UuidsReadAsBinary` where the file's first use comes too late.
        """
        caller = calling_file()
        file_name = caller.file_name
        with self._lock:
            if (file_name, use) in self._said:
                return
            if file_name in self._uuids_read and file_name not in self._old_files:
                raise UuidsReadAsBinary(use, self._uuids_read[file_name])
            self._said.add((file_name, use))
            self._old_files.add(file_name)
        message = f'PyMongo 4 dropped {use}: {advice}'
        self._tell(caller, message)
        warnings.warn_explicit(
            message, DeprecationWarning, file_name, caller.line, caller.module
        )

    def remark(self, use: str, sentence: str) -> None:
        """Say something of a use to the file that called PyMongo, once a file.

        It does not count as written for PyMongo 3 by that.
        """
        caller = calling_file()
        with self._lock:
            if (caller.file_name, use) in self._said:
                return
            self._said.add((caller.file_name, use))
        self._tell(caller, sentence)

    def watched(self, options: CodecOptions[Any]) -> CodecOptions[Any]:
        """Let these options notice UUIDs that PyMongo 3 would have given differently.

        Options that say how to read UUIDs, or that have custom types, stay.
        """
        says_how = options.uuid_representation != _UNSPECIFIED
        if says_how or options.type_registry != TypeRegistry():
            return options
        return options.with_options(type_registry=self._registry)

    def are_watched(self, options: CodecOptions[Any]) -> bool:
        """Tell whether these options have no custom types but migopy's own."""
        return options.type_registry is self._registry

    def for_caller(self, options: CodecOptions[Any]) -> CodecOptions[Any]:
        """Give watched options as the calling file needs them, for PyMongo 3 or not."""
        if not self.are_watched(options):
            return options
        if not self._old_files and options.uuid_representation == _UNSPECIFIED:
            return options  # without looking for the caller, for each of many calls
        if options.uuid_representation != _UNSPECIFIED:
            # The file says itself how to read them.
            return options.with_options(type_registry=TypeRegistry())
        if calling_file().file_name not in self._old_files:
            return options
        return options.with_options(
            uuid_representation=UuidRepresentation.PYTHON_LEGACY
        )

    def uuid_read(self, value: Binary) -> Any:
        """Give a UUID as the calling file needs it."""
        caller = calling_file()
        with self._lock:
            is_old = caller.file_name in self._old_files
            if is_old and value.subtype == _OLD_UUID:
                return value.as_uuid(UuidRepresentation.PYTHON_LEGACY)
            if caller.file_name in self._uuids_read:
                return value
            self._uuids_read[caller.file_name] = value.subtype
        self._tell(
            caller,
            'here a UUID is read as bson.Binary, which equals no uuid.UUID;'
            f' PyMongo 3 gave uuid.UUID. {uuid_advice(value.subtype)}',
        )
        return value

    def _tell(self, caller: Caller, message: str) -> None:
        if self._notify is not None:
            name = os.path.basename(caller.file_name)
            self._notify(f'{name}, line {caller.line}: {message}')


class _UuidDecoder(TypeDecoder):
    """Decides, for each UUID that PyMongo 4 gives as a `Binary`, how to give it."""

    bson_type = Binary

    def __init__(self, deprecations: Deprecations) -> None:
        self._deprecations = deprecations

    def transform_bson(self, value: Any) -> Any:
        """Take a binary value; give what the document is to have."""
        if value.subtype in (_OLD_UUID, _UUID):
            return self._deprecations.uuid_read(value)
        return value
