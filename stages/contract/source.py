"""Where a table comes from, and how its file is written."""

import codecs
import csv
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from serve.runtime.spelling import select_marks
from stages.contract.names import Name
from stages.contract.section import Section
from stages.shared.frozen import Items

SHA_256 = r"^[0-9a-f]{64}$"


class Member(Section):
    """A file in a zip archive, and the constants that its rows get as further columns."""

    name: str
    """The file's path in the archive."""
    sha256: str = Field(pattern=SHA_256)
    """The SHA-256 of the file's bytes, in hexadecimal."""
    values: dict[Name, str] = Field(default={})
    """Constants that the file's rows get as further columns."""


class Origin(Section):
    """Where a table comes from and how its file is written.

    A local file needs only ``path``. With ``url`` and ``sha256`` the file is downloaded to
    ``path``; with ``url`` and ``members`` the named files of a zip archive are joined there; with
    ``database`` and ``query`` it is filled from SQL. The rest describes CSV. A file without a
    header holds ``names``, or else the contract's columns and then the target's.
    """

    path: str
    """The file, from the root of the repository: CSV or Parquet."""
    url: str | None = None
    """Where to download the file from."""
    sha256: str | None = Field(default=None, pattern=SHA_256)
    """The SHA-256 of the download, in hexadecimal: it decides what the file is."""
    members: Items[Member] = ()
    """The files of a zip archive at `url` that are joined to one table."""
    database: str | None = None
    """An SQLAlchemy URL; `\\${NAME}` in it stands for an environment variable."""
    query: str | None = None
    """The SQL whose rows are the table."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """What stands between two cells of CSV; a blank stands for one or more."""
    header: bool = True
    """Whether the first line names the columns."""
    names: Items[Name] | None = None
    """The columns of a file without a header; else the contract's, then the target's."""
    encoding: str = "utf-8"
    """How text is encoded, as Python calls it."""
    decimal: Literal[".", ","] = "."
    """What stands before decimals."""
    decimal_in: dict[Name, Literal[".", ","]] = Field(default={})
    """The same for single columns that are written otherwise."""
    skip_lines: Items[int] = ()
    """The lines, counted from 1, that hold no row: a title above the header, units under it."""
    quoting: bool = True
    """Whether quotes around cells are no part of them."""
    escape: Literal["\\"] | None = None
    """What stands before a quote inside of quotes, where it is not another quote."""
    missing: Items[str] = ("", "?", "NA", "N/A", "NaN", "nan", "null", "None")
    """The cells that stand for a missing value; in Parquet NaN, nan, null and None are texts."""
    missing_in: dict[Name, Items[str]] = Field(default={})
    """Further ones, in one column only."""
    not_missing: dict[Name, Items[str]] = Field(default={})
    """Cells of `missing` that are values in one column, such as `NA` among countries."""

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise ValueError("Python knows no such encoding") from error
        return encoding

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if self.members and not self.url:
            raise ValueError("members are files in the archive at a url")
        if self.members and self.sha256:
            raise ValueError("members have a sha256 each, and their archive has none")
        if bool(self.url) != bool(self.sha256 or self.members):
            raise ValueError("url and sha256 go together: the hash decides what the file is")
        if len({tuple(member.values) for member in self.members}) > 1:
            raise ValueError("members must all have values of the same names, in one order")
        if bool(self.database) != bool(self.query):
            raise ValueError("database and query go together")
        if self.url and self.query:
            raise ValueError("a source has either a url or a query")
        if self.header and self.names:
            raise ValueError("names are for a file without a header")
        if self.query and not self.path.endswith(".parquet"):
            raise ValueError(f"a query is kept as Parquet: path {self.path!r} must say so")
        return self

    def list_missing_marks(self, column: Name) -> tuple[str, ...]:
        """Return the texts that stand for a missing value in a column.

        Parquet has nulls: a text of it that says None or null is a text, but where `missing_in` has
        it.
        """
        has_nulls, kept = self.path.endswith(".parquet"), self.not_missing.get(column, ())
        usual = [mark for mark in self.missing if mark not in kept]
        return select_marks(usual, self.missing_in.get(column, ()), has_nulls)

    def get_decimal(self, column: Name) -> Literal[".", ","]:
        """Return what stands before decimals in a column."""
        return self.decimal_in.get(column, self.decimal)

    @property
    def csv_quoting(self) -> Literal[0, 3]:
        """How the csv module is to treat quotes."""
        return csv.QUOTE_MINIMAL if self.quoting else csv.QUOTE_NONE

    @property
    def is_plain(self) -> bool:
        """Whether pandas' own parser reads the file's lines as the csv module does."""
        return not (self.skip_lines or self.escape or self.delimiter == " ")

    @property
    def is_fetched(self) -> bool:
        """Whether the file comes from a URL or a query, and not from a person."""
        return bool(self.url or self.query)
