"""Keep secrets out of texts; the one place in migopy that does this."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from migopy.texts import shortened

MASK = '***'

#: The options of `MongoClient`, in lower case, whose value nobody may see.
#: Other drivers know that of a proxy, whose URI may be the same.
SECRET_OPTIONS = (
    'password',
    'proxypassword',
    'tlscertificatekeyfilepassword',
    'sslpemkeyfilepassword',
)

#: Where `authMechanismProperties` is a text, the values in it that nobody may see.
_SECRET_PROPERTIES = re.compile(r'(?:TOKEN|PASSWORD):([^,]+)')

# A password reaches to the last @ before a space. If it is not encoded it may hold
# anything; but what begins with a port number and ends there is no password. Not
# everybody encodes a user that is a mail address either.
_NO_PORT = r'(?!\d{1,5}(?:[/?,\s]|$))'
_IN_URI = re.compile(
    r'(?P<begin>:(?:\\?/){2}(?:[^\s:/?#@]*:|[^\s:/?#]*:' + _NO_PORT + '))'
    rf'(?:\S{{1,1000}}(?=@)|{_NO_PORT}[^\n@]{{1,200}}(?=@))'
)

#: A text without any of these has no secret among the options of a URI.
_OF_OPTIONS = (*SECRET_OPTIONS, 'aws_session_token')

#: What stands before a secret among the options of a URI.
_OPTION = re.compile(
    rf'([?&;](?:{"|".join(SECRET_OPTIONS)})=|\bAWS_SESSION_TOKEN(?::|%3A))[^\s&;,"\']+',
    re.IGNORECASE,
)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace the password in each URI, and each of `secrets`, by `***`.

    A secret is found as it is, and as a URI, Python or JSON has it, but only as a whole
    word: `ro` is not starred out of `error`, which would give it away. A text that is
    to be cut goes through here before: of one cut in half, nothing is found.
    """
    # Most texts have neither, and a history of ten thousand runs is slow to search.
    if ':/' in text or r':\/' in text:
        text = _IN_URI.sub(rf'\g<begin>{MASK}', text)
    lowered = text.lower()
    if any(each in lowered for each in _OF_OPTIONS):
        text = _OPTION.sub(rf'\g<1>{MASK}', text)
    for spelling in spellings_of(secrets):
        # With many databases there are many secrets, few of them in a text.
        if spelling not in text:
            continue
        text = _whole_word(spelling).sub(MASK, text)
    return text


def redacted_in(value: Any) -> Any:
    """Replace the password in each URI of a value of dicts and lists."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {redacted_in(key): redacted_in(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted_in(each) for each in value]
    return value


def redacted_short(text: str, width: int) -> str:
    """Cut a text that is longer than so many characters, without passwords of URIs."""
    return shortened(redacted(text), width)


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
            json.dumps(secret)[1:-1],
            json.dumps(secret)[1:-1].replace('/', r'\/'),
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
