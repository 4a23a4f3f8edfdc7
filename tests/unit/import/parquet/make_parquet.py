"""Writes the Parquet files of this folder with pyarrow, polars and DuckDB (pip install pyarrow polars duckdb pillow).

Six rows each: prompt p0 ... p5, image a 2 x 1 PNG of (40 i, 0, 0), answer i or null for row 4, level a dictionary column.
"""

import io

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def png(i: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (2, 1), (40 * i, 0, 0)).save(out, "PNG")
    return out.getvalue()


def table(images: bool = False) -> pa.Table:
    cells = [{"bytes": png(i), "path": f"{i}.png"} for i in range(6)]
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    column = pa.array([[c] for c in cells], pa.list_(struct)) if images else pa.array(cells, struct)
    return pa.table(
        {
            "prompt": [f"p{i}" for i in range(6)],
            ("images" if images else "image"): column,
            "answer": pa.array([None if i == 4 else i for i in range(6)], pa.int64()),
            "level": ["easy", "hard"] * 3,
        }
    )


pq.write_table(table(), "pyarrow-snappy.parquet", row_group_size=4)
pq.write_table(table(True), "pyarrow-zstd-v2.parquet", compression="zstd", data_page_version="2.0")
pq.write_table(table(), "pyarrow-gzip-plain.parquet", compression="gzip", use_dictionary=False)
pq.write_table(
    table(),
    "pyarrow-delta.parquet",
    compression="none",
    use_dictionary=False,
    column_encoding={"answer": "DELTA_BINARY_PACKED", "prompt": "DELTA_LENGTH_BYTE_ARRAY"},
)
polars.from_arrow(table()).write_parquet("polars.parquet")
data = table()
duckdb.sql("copy (select * from data) to 'duckdb.parquet' (format parquet, compression zstd)")
# What datasets.Dataset.to_parquet and push_to_hub write, feature metadata aside: the same as pyarrow-snappy.
