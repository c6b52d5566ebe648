"""Reports in Chinese, of which every text must be in the catalogue."""

from collections.abc import Iterator
from contextlib import contextmanager

from cea_exchange.screens.texts.catalogue import report_texts
from cea_exchange.year.outcome.speech import ENGLISH, speech_set


@contextmanager
def chinese_reports() -> Iterator[None]:
    """Tell results in Chinese: a text that is not there is a KeyError."""
    texts = report_texts("zh")
    speech_set(
        lambda: "zh",
        lambda english: texts[english] if any(map(str.isalpha, english)) else english,
    )
    try:
        yield
    finally:
        speech_set(*ENGLISH)
