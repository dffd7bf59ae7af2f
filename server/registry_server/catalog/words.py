"""Words as full-text search sees them, the same for what is kept and for what people type.

What is kept is folded: lower case, without accents, letters and digits only. What is asked for is folded too, loses its
inflection, and then means every kept word that begins so: `Embeddings` asks for `embedd…`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_MOST_CHARACTERS = 40
_MOST_ASKED = 16
_WORD = re.compile(r"[^\W_]+")
_INFLECTIONS = (re.compile("(?<=ss)es$|(?<=[^s])s$"), re.compile("(?:ing|ed)$"))
_SHORTEST_STEM = 4


def folded(text: str) -> list[str]:
    """The words of a text, in its order."""
    letters = text.lower()
    if not letters.isascii():
        plain = unicodedata.normalize("NFKD", letters)
        letters = "".join(char for char in plain if not unicodedata.combining(char))
    return [word[:_MOST_CHARACTERS] for word in _WORD.findall(letters)]


def kept(words: Iterable[str]) -> str:
    """The words as one text: each once, with a space before it."""
    return "".join(f" {word}" for word in sorted(set(words)))


def asked(text: str) -> list[str]:
    """The beginnings of words that `text` asks for; none when there is no word in it."""
    return list(dict.fromkeys(_stem(word) for word in folded(text)[:_MOST_ASKED]))


def _stem(word: str) -> str:
    """What the forms of an English word have in common, as far as that is simple; other languages lose an s at most."""
    for inflection in _INFLECTIONS:
        shorter = inflection.sub("", word)
        word = shorter if len(shorter) >= _SHORTEST_STEM else word
    return word
