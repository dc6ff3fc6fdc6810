"""Texts from elsewhere, made fit to show."""

from __future__ import annotations

import unittest

from pymongo.errors import OperationFailure

from migopy.tell import Voice
from migopy.tell.amounts import size
from migopy.texts import fit, one_line, same_name, shortened, text_of, whole_number
from migopy.traces import excerpt, summary

CLEAR = '\x1b[2J\x1b[H'
TITLE = '\x1b]0;owned\x07'
TURNED = '\u202e'


class Broken(Exception):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        raise ValueError('no')


class FitTest(unittest.TestCase):
    def test_what_steers_a_terminal_is_shown_as_an_escape(self) -> None:
        self.assertEqual(fit(f'a{CLEAR}b'), r'a\x1b[2J\x1b[Hb')
        self.assertEqual(fit(TITLE), r'\x1b]0;owned\x07')
        self.assertEqual(fit(f'a{TURNED}b\x9b'), r'a\u202eb\x9b')
        self.assertEqual(fit('\ud800'), r'\ud800')
        self.assertEqual(fit('a\rb'), r'a\rb')

    def test_so_is_each_mark_that_turns_the_direction(self) -> None:
        marks = '\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e'
        for mark in f'{marks}\u2066\u2067\u2068\u2069':
            self.assertEqual(fit(mark), f'\\u{ord(mark):04x}')

    def test_what_a_text_is_made_of_stays(self) -> None:
        for text in ('', 'Zürich', 'a\n\tb', '日本語', 'a b', '━━ 5'):
            self.assertEqual(fit(text), text)

    def test_a_value_is_one_line(self) -> None:
        self.assertEqual(one_line('a\nUnfinished: b'), r'a\nUnfinished: b')
        self.assertEqual(one_line('a\u2028b\tc'), r'a\u2028b\tc')
        self.assertEqual(one_line(5), '5')

    def test_a_text_that_cannot_be_had_is_said_to_be(self) -> None:
        self.assertEqual(
            text_of(Broken()), '<Broken whose text cannot be had: ValueError>'
        )

    def test_a_long_one_is_cut(self) -> None:
        self.assertEqual(shortened('abcdef', 4), 'abc…')
        self.assertEqual(shortened('abcd', 4), 'abcd')

    def test_a_number_has_no_sign_and_no_end_of_digits(self) -> None:
        self.assertEqual([whole_number(each) for each in ('0', '007', '٣')], [0, 7, 3])
        for text in ('', '-1', '+1', '1.0', '1e3', ' 1', '²', '9' * 5000):
            self.assertIsNone(whole_number(text), text)

    def test_an_accent_is_one_however_it_is_spelled(self) -> None:
        self.assertEqual(same_name('e\u0301'), same_name('\xe9'))


class SizeTest(unittest.TestCase):
    def test_there_is_no_part_of_a_byte(self) -> None:
        shown = [size(count) for count in (0, 1, 3, 999, 1234, 99_999, 3.4e6, 5e12)]
        self.assertEqual(shown[:4], ['0 bytes', '1 byte', '3 bytes', '999 bytes'])
        self.assertEqual(shown[4:], ['1.2 KB', '100 KB', '3.4 MB', '5.0 TB'])


class VoiceTest(unittest.TestCase):
    def test_a_logger_gets_clean_text_whatever_it_is(self) -> None:
        said: list[str] = []

        class Logger:
            white = white_bold = red = green = staticmethod(said.append)

        voice = Voice(Logger())
        for say in (voice.white, voice.white_bold, voice.red, voice.green):
            say(f'a{CLEAR}')
            say(Broken())
            say(TITLE)
        self.assertEqual(len(said), 12)
        self.assertNotIn('\x1b', ''.join(said))


class ErrorTest(unittest.TestCase):
    """Telling of a failure cannot fail."""

    def raised(self, error: BaseException) -> BaseException:
        try:
            raise error
        except BaseException as caught:
            return caught

    def test_whatever_an_error_says(self) -> None:
        word = 'x' * 100_000
        for error in (
            Broken(),
            ValueError('\ud800'),
            ValueError(word),
            ValueError(CLEAR),
            ValueError('\n' * 10_000),
            ValueError(b'\xff'),
            ValueError(),
            KeyError(Broken()),
        ):
            with self.subTest(type(error)):
                caught = self.raised(error)
                line, text = summary(caught), excerpt(caught, 'nowhere.py')
                self.assertLessEqual(len(line), 200)
                self.assertNotIn('\n', line)
                self.assertLess(len(text), 500_000)
                for said in (line, text):
                    said.encode()
                    self.assertNotIn('\x1b', said)

    def test_no_secret_is_cut_in_half(self) -> None:
        """A half of one would not be found any more by what hides secrets."""
        secret = 'hunter22  !ann'
        for said in (f'mongodb://ann:{"s3cret" * 20}@h/', f'as {secret} is', 's3cret'):
            for place in range(150, 200):
                error = ValueError('x' * place + f' {said}')
                line = summary(error, [secret])
                self.assertNotRegex(line, 's3(?!cret$)|hunt', place)
                wide = ValueError('x' * (place + 1800) + f' {said}')
                self.assertNotRegex(excerpt(wide, 'nowhere.py'), 's3(?!cret$)', place)

    def test_both_indexes_of_a_conflict_are_told(self) -> None:
        """What MongoDB says of index names in general would leave no room for them."""
        made = '{ v: 2, key: { %s: 1 }, name: "by" }'
        indexes = f'Requested index: {made % "total"}, existing index: {made % "name"}'
        error = OperationFailure(
            'An existing index has the same name as the requested index. When index'
            ' names are not specified, they are auto generated and can cause conflicts.'
            f" Please refer to our documentation. {indexes}, full error: {{'ok': 0.0}}"
        )
        self.assertEqual(
            summary(error),
            'OperationFailure: An existing index has the same name as the requested'
            f' index. {indexes}',
        )

    def test_causes_are_told_without_the_server_s_reply(self) -> None:
        for reply in ("{'ok': 0}", "RawBSONDocument(b'\\x00')", "SON([('ok', 0)])"):
            try:
                try:
                    raise ValueError(f'odd, full error: {reply}')
                except ValueError as cause:
                    raise KeyError('x') from cause
            except KeyError as error:
                self.assertNotIn('full error', excerpt(error, __file__))
