"""``daskgmm convert``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.completing import PLACE, NewPlace
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.places import check_apart
from daskgmm.cli.reporting import tell
from daskgmm.storage.masking import shown

MEGA = 1_000_000


@command(
    short_help="Convert CSV files to Parquet, which is read in chunks.",
    example="daskgmm convert table.csv --out table.parquet",
)
@click.argument("csv", nargs=-1, required=True, type=PLACE)
@click.option(
    "--out",
    "-o",
    required=True,
    type=NewPlace(),
    metavar="OUT",
    help="Parquet file to write, a path or URL.",
)
@click.option(
    "--delimiter", metavar="TEXT", help="Field separator.  [default: found in the first line]"
)
@click.option("--decimal", default=".", show_default=True, help="Decimal separator.")
@click.option("--encoding", default="utf8", show_default=True, help="Encoding of the files.")
@click.option(
    "--missing", multiple=True, metavar="TEXT",
    help=(
        "Text that marks a missing value, besides an empty field, NA, NaN and null; can be "
        "repeated."
    ),
)  # fmt: skip
@click.option(
    "--header/--no-header", default=None,
    help=(
        "Whether the first line contains column names.  [default: yes, unless all its fields are "
        "numbers]"
    ),
)  # fmt: skip
@options.storage_options
@IMPORT
@options.overwrite
@options.quiet
def convert(csv: tuple[str, ...], out: str, quiet: bool, **settings: Any) -> None:
    """Convert CSV files to one Parquet file; each column gets a type that fits all values.

    Memory use is bounded, and OUT appears only when it is complete. Files may be compressed.
    """
    check_apart({f"CSV {path}": path for path in csv}, {"--out": out})
    with at_once():
        from daskgmm.progress import show_pass
        from daskgmm.rows.checks.naming import listed
        from daskgmm.rows.csv.to_parquet import csv_to_parquet
        from daskgmm.rows.tables.text_columns import Columns, described

    with show_pass("megabytes read", quiet=quiet) as show:

        def in_megabytes(done: int, total: int) -> None:
            if show is not None:
                show(done // MEGA, max(1, total // MEGA))

        found = csv_to_parquet(list(csv), out, progress=in_megabytes, **settings)
    if quiet:
        return
    tell(f"{shown(out)}: {found.rows:,} rows of {len(found.columns)} columns")
    others = found.text_columns
    columns = Columns.of((name, kind, name not in others) for name, kind in found.columns.items())
    if columns.left:
        tell(f"Fits leave out {listed(described(columns.left))}.")
