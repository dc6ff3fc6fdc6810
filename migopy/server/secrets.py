"""Keep secrets out of texts; the one place in migopy that does this."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = '***'

#: The options of `MongoClient`, in lower case, whose value nobody may see.
SECRET_OPTIONS = ('password', 'tlscertificatekeyfilepassword', 'sslpemkeyfilepassword')

#: Where `authMechanismProperties` is a text, the values in it that nobody may see.
_SECRET_PROPERTIES = re.compile(r'(?:TOKEN|PASSWORD):([^,]+)')

# A password reaches to the last @ before a space. If it is not encoded it may hold
# anything; but what begins with a port number and ends there is no password.
_IN_URI = re.compile(
    r'(?P<begin>://[^\s:/?#@]*:)'
    r'(?:\S{1,1000}(?=@)|(?!\d{1,5}(?:[/?,\s]|$))[^\n@]{1,200}(?=@))'
)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace the password in each URI, and each of `secrets`, by `***`.

    A secret is found as it is, as a URI spells it and as Python shows it, but only as
    a whole word: `ro` is not starred out of `error`, which would give it away.
    """
    text = _IN_URI.sub(rf'\g<begin>{MASK}', text)
    for spelling in spellings_of(secrets):
        # With many databases there are many secrets, few of them in a text.
        if spelling not in text:
            continue
        text = _whole_word(spelling).sub(MASK, text)
    return text


def spellings_of(secrets: Iterable[str]) -> list[str]:
    """List the spellings of secrets that a text may have, the longest first."""
    spellings = {
        spelling
        for secret in secrets
        if secret
        for spelling in (
            secret,
            quote(secret, safe=''),
            quote_plus(secret),
            repr(secret)[1:-1],
        )
    }
    return sorted(spellings, key=len, reverse=True)


def secrets_in(options: Mapping[str, Any]) -> list[str]:
    """List the secrets among options for `MongoClient`, whatever case names are in."""
    found = []
    for name, value in options.items():
        if name.lower() in SECRET_OPTIONS and value:
            found.append(str(value))
        elif name.lower() == 'authmechanismproperties' and value:
            found += _in_properties(value)
    return found


def _in_properties(value: object) -> list[str]:
    if isinstance(value, Mapping):
        value = ','.join(f'{name}:{one}' for name, one in value.items())
    return _SECRET_PROPERTIES.findall(str(value))


def _whole_word(text: str) -> re.Pattern[str]:
    # In a URI an encoded character may stand before it.
    before = r'(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2}))' if re.match(r'\w', text) else ''
    after = r'(?!\w)' if re.search(r'\w\Z', text) else ''
    return re.compile(f'{before}{re.escape(text)}{after}')
