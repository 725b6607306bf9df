"""Tables with a log beside their files, on a real S3 server."""

import pyarrow as pa
import pytest

from daskgmm.errors import SourceError
from daskgmm.rows.parquet.rows import open_parquet
from tests.rows.conformance import read_all

s3fs = pytest.importorskip("s3fs")
deltalake = pytest.importorskip("deltalake")


def test_a_delta_table_is_read_by_its_log_as_it_is_now(tmp_path, options, here, backend_options):
    folder = here.removesuffix(".file") + "-table"
    # Another one than that which reads, as of another process.
    store = s3fs.S3FileSystem(**options, skip_instance_cache=True)
    deltalake.write_deltalake(tmp_path / "t", pa.table({"a": [1.0, 2.0, 3.0]}))

    def stored():
        store.put(f"{tmp_path}/t/", folder, recursive=True)
        rows = open_parquet(folder, storage_options=backend_options)
        return sorted(read_all(rows)[:, 0])

    assert stored() == [1, 2, 3]
    deltalake.DeltaTable(tmp_path / "t").delete("a = 2")
    assert stored() == [1, 3]
    removed = {path.name for path in (tmp_path / "t").glob("*.parquet")}
    live = open_parquet(folder, storage_options=backend_options).footers
    [gone] = removed - {footer.address.url.rsplit("/", 1)[1] for footer in live}
    with pytest.raises(SourceError, match="not a live file of the Delta Lake table"):
        open_parquet(f"{folder}/{gone}", storage_options=backend_options)
    store.pipe(f"{folder}-of-iceberg/metadata/v1.metadata.json", b"{}")
    store.pipe(f"{folder}-of-iceberg/data/x.parquet", b"PAR1")
    with pytest.raises(SourceError, match="Iceberg"):
        open_parquet(f"{folder}-of-iceberg/data", storage_options=backend_options)
