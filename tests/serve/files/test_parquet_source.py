"""What a Parquet file unpacks to is bounded, however small it is; what it holds is read in full."""

import io
import resource
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serve.files import parquet_source
from serve.files.parquet_source import ParquetSource
from serve.runtime.errors import RequestError

LONG = "x" * (1 << 20)


def write(columns: dict[str, Any], **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, **options)
    return file


def read(file: io.BytesIO, wanted: Sequence[str], most_bytes: int = 1 << 40) -> list[Any]:
    return [cells for _, cells in ParquetSource(file, 10**6, most_bytes).rows(wanted)]


def refer(value: Any, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([value]))


def test_a_text_that_is_said_once_for_many_rows_takes_its_place_once() -> None:
    file = write({"id": refer(LONG, 20_000), "age": [63] * 20_000}, compression="zstd")
    assert len(file.getvalue()) < 4_000  # and 20 GB of texts
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    number = 0
    tracemalloc.start()
    for number, cells in ParquetSource(file, 10**6).rows(["age", "id"]):
        assert cells[1] is not None
        if number == 3_000:
            break
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert number == 3_000
    assert peak < 20 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_texts_that_unpack_to_too_much_are_refused() -> None:
    file = write({"id": refer(LONG, 5_000)}, compression="zstd")
    with pytest.raises(RequestError, match="unpack to more than 100,000,000 bytes") as refusal:
        read(file, ["id"], most_bytes=100_000_000)
    assert refusal.value.status == 413


def test_a_row_group_that_says_itself_that_it_is_large_is_refused_unread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet_source, "MAX_GROUP_BYTES", 1 << 20)
    file = write({"id": ["a" * 3_000 + str(i) for i in range(1_000)], "age": [1] * 1_000},
                 compression="zstd", use_dictionary=False)  # fmt: skip
    with pytest.raises(RequestError, match="row group 0 unpacks to") as refusal:
        read(file, ["id"])
    assert refusal.value.status == 413
    assert len(read(file, ["age"])) == 1_000  # the columns that are not needed do not count


def test_texts_that_say_how_they_differ_are_read_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet_source, "BATCH_BYTES", 8 << 20)
    texts = [LONG + str(number) for number in range(40)]  # 40 MB in one
    file = write({"id": texts}, column_encoding="DELTA_BYTE_ARRAY", use_dictionary=False)
    assert len(file.getvalue()) < 2 << 20
    batches = [*ParquetSource(file, 10**6)._iterate(["id"])]
    assert max(map(len, batches)) <= 8
    assert [cells[0] for cells in read(file, ["id"])] == texts


def test_lists_and_bytes_are_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_source, "MAX_GROUP_BYTES", 2_000)
    huge = pa.array([[None] * 1_000_000, []], pa.list_(pa.int8()))
    file = write({"lists": huge, "bytes": [b"a" * 9_000, b""], "age": [1, 2]})
    kind = str(huge.type).replace("item", "element")
    found = read(file, ["lists", "age", "bytes"])
    assert [cells[1:] for cells in found] == [(1, "binary"), (2, "binary")]
    assert found[0][0] in (str(huge.type), kind)


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"row_group_size": 7}])
def test_every_cell_is_what_was_written(options: dict[str, Any]) -> None:
    words: list[Any] = [None if i % 5 == 4 else f"w{i % 11}" for i in range(2_500)]
    columns = {
        "word": words,
        "kind": pa.array(words).dictionary_encode(),
        "number": [None if i % 7 == 0 else i / 3 for i in range(2_500)],
        "flag": [i % 2 == 0 for i in range(2_500)],
    }
    found = read(write(columns, **options), [*columns])
    assert found == [
        (words[i], words[i], columns["number"][i], columns["flag"][i]) for i in range(2_500)
    ]


def test_a_refused_file_can_be_closed() -> None:
    source = ParquetSource(write({"age": [1]}), 1)
    assert [*source.rows(["age"])] == [(1, (1,))]
    source.close()
