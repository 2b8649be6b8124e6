"""Texts that tokenizers get wrong when they are not the same tokenizer."""

# ruff: noqa: RUF001 - letters that look like others are what is tested
from collections.abc import Iterator

import numpy as np

from stages.exporting.parity import Alteration, Array
from stages.shared.schema import Schema

RANDOM = 150  # strings of random Unicode
LONGEST = 30  # characters of such a string
SEED = 0
SURROGATES = range(0xD800, 0xE000)  # no text holds one
HARD = (
    "",
    " ",
    ".",
    "emoji 👩‍👩‍👧‍👦 🇩🇪🇫🇷 👍🏽 ❤️ 😡😡😡",
    "combining é ö̲ n͈̰̎ x\u0301\u0316 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘",
    "漢字かな交じり文 한국어 ไทยไม่มีช่องว่าง",
    "مرحبا بالعالم שלום עולם \u200fמرحبا\u200e हिन्दी में",
    "ſtraße STRASSE ﬁne ﬀ İI ıi ǅ ΌΔΟΣ",
    "controls \x00\x01\x1f\x7f\x85\u2028\u2029\ufeff\u200b end",
    "private and unassigned \ue000\U000f0000\U0003ffff\uffff",
    "[CLS] [SEP] [MASK] [PAD] [UNK] <s> </s> <pad> ##ing ▁the",
    "http://example.org/?q=1&b=%20 a@b.c #tag @user $5.00 3,000.5 C++",
    "good" * 500,
    "the food was GREAT! and 😡 " * 200,
)


def make_hard_texts() -> Iterator[str]:
    """Yield hard texts, then strings of random Unicode: the same ones in every process."""
    yield from HARD
    rng = np.random.default_rng(SEED)
    for highest in rng.choice([0x7F, 0x24F, 0x2FFF, 0xFFFF, 0x10FFFF], RANDOM):
        points = rng.integers(0, highest, rng.integers(1, LONGEST), endpoint=True)
        yield "".join(chr(point) for point in points if point not in SURROGATES)


def list_text_alterations(X: Array, schema: Schema) -> Iterator[Alteration]:
    """Yield every row as it is, then with each text missing, then some with each hard text."""
    yield Alteration("", np.arange(len(X)))
    columns = [(i, field.name) for i, field in enumerate(schema.fields) if field.type == "text"]
    for column, name in columns:
        yield Alteration(f" with {name} missing", np.arange(len(X)), column, "")
        for number, text in enumerate(make_hard_texts()):
            row = np.array([number % len(X)])
            yield Alteration(f" with {name} {text[:60]!a}", row, column, text)
