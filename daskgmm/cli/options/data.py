"""Options of the data, and the data that they name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.options.common import Command, added, taken
from daskgmm.cli.options.completing import PLACE
from daskgmm.cli.reporting import some_of, wrapped
from daskgmm.cli.tables import columns_of
from daskgmm.counting import counted
from daskgmm.names import MARGINALISE
from daskgmm.rows.checks.name_lists import names_of_text, quoted
from daskgmm.storage.address import Address
from daskgmm.storage.local import leads_nowhere, nothing_at
from daskgmm.storage.masking import StorageOptions, shown


def names_in(value: str) -> tuple[str, ...]:
    """Return the names in a text such as temp,salt."""
    names = names_of_text(value) if value.strip() else ()
    if not all(names) or len(set(names)) < len(names):
        raise click.BadParameter(f"{value!r} is not a list of names; give some such as temp,salt.")
    return names


COLUMNS = options.several(
    "--columns", metavar="NAMES", parse=names_in,
    help=(
        "Feature columns of a table (Parquet, CSV), for example a,b,c. Put a name that contains "
        "a comma in double quotes.  [default: the columns of MODEL; without a model, all numeric "
        "columns]"
    ),
)  # fmt: skip
VARIABLES = options.several(
    "--variables", metavar="NAMES", parse=names_in,
    help="Variables of a Zarr group or NetCDF file to use as features, for example temp,salt.",
)  # fmt: skip
FEATURES = options.several(
    "--features", metavar="DIMS", parse=names_in,
    help=(
        "Dimensions whose points are features, for example depth,band, or axis numbers such as "
        "-1; '' for none. Each point of the other dimensions is a row."
    ),
)  # fmt: skip
WEIGHT_COLUMN = click.option(
    "--weight-column", metavar="NAME", help="Column or variable of DATA that contains the weights."
)
LABELS = click.option(
    "--labels", metavar="COLUMN|PATH", type=PLACE,
    help=(
        "Row labels: a column or variable of DATA, or an array (Zarr or .npy); -1, NaN or null "
        "where unknown. A mixture takes component numbers, a classifier takes classes."
    ),
)  # fmt: skip


def groups(use: str) -> Callable[[Command], Command]:
    """Return the option of groups of rows, which a command has this use for."""
    return click.option(
        "--groups", metavar="COLUMN|PATH", type=PLACE,
        help=(
            "Group of each row: a column of DATA with numbers or texts, or an array of numbers "
            f"(Zarr or .npy). {use}  [default: blocks of neighbouring rows]"
        ),
    )  # fmt: skip


MISSING_ROWS = click.option(
    "--missing", type=click.Choice(["error", "drop", MARGINALISE]),
    help=(
        "How to treat rows with missing values: drop gives them the label -1, marginalise uses "
        "the values that are present.  [default: as in the fit]"
    ),
)  # fmt: skip
WHOLE_ROWS = click.option(
    "--missing", type=click.Choice(["error", "drop"]),
    help=(
        "How to treat rows with missing values; only complete rows are used here.  [default: as "
        "in the fit]"
    ),
)  # fmt: skip
NOISE_VARIANCE = click.option(
    "--noise-variance", metavar="NAMES|PATH", type=PLACE,
    help=(
        "Known noise variances of each row: columns or variables of DATA, one for each feature "
        "and in the same order, for example e_a,e_b; or the path of an array (Zarr or .npy)."
    ),
)  # fmt: skip


AddressOf = Callable[[str], Address]
"""Makes the address of a path or URL of a command."""


@dataclass(frozen=True, slots=True)
class Data:
    """Data as the command line names them.

    Attributes
    ----------
    path : str
        Or URL.
    columns, variables, features : tuple of str or None
        What to take; None where the option was not given.
    weights, weight_column : str or None
        One of them at most.
    noise_variance : str or None
        Names, or a path.
    labels, groups : str or None
        A name, or a path.
    storage_options : mapping or None
        Of the URLs among the paths.
    """

    path: str
    columns: tuple[str, ...] | None = None
    variables: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None
    weights: str | None = None
    weight_column: str | None = None
    noise_variance: str | None = None
    labels: str | None = None
    groups: str | None = None
    storage_options: StorageOptions | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse two names of the weights."""
        if self.weights and self.weight_column:
            raise click.UsageError("--weights and --weight-column both name the weights.")

    @property
    def places(self) -> dict[str, str | None]:
        """Paths and URLs that are read, by the argument or option that gives them."""
        read = {"DATA": self.path, "--weights": self.weights}
        for option, given in self._coded.items():
            if not self._is_name(given):
                read[f"--{option}"] = given
        return read if self._noise_names else read | {"--noise-variance": self.noise_variance}

    def check_columns(self) -> None:
        """Raise `DataError` for names of columns that a table surely has not."""
        named = [self.columns, self._noise_names, self.weight_column and (self.weight_column,)]
        coded = {option: name for option, name in self._coded.items() if self._is_name(name)}
        if not (coded or any(named)) or (known := columns_of(self.path)) is None:
            return
        from daskgmm.rows.checks.naming import check_among, neither

        for names in filter(None, named):
            check_among(names, known, self.path)
        for option, name in coded.items():
            if name and name not in known and leads_nowhere(name):
                raise neither(option, name, known, f"{option}: {nothing_at(name)}")

    @property
    def _coded(self) -> dict[str, str | None]:
        """What options give that is a column of DATA, with numbers or texts, or a path."""
        return {"labels": self.labels, "groups": self.groups}

    def address(self, path: str) -> Address:
        """Return the address of a path or URL of the same command."""
        return Address.of(path, self.storage_options)

    def training(self, *, quiet: bool = False) -> tuple[Any, dict[str, Any]]:
        """Return X, and the arguments of `fit` that go with it; say what is left out of it."""
        from daskgmm.rows.sources import source_of

        x = self._opened(self.columns or self._numbers(quiet=quiet))
        settings: dict[str, Any] = {"storage_options": self.storage_options}
        if source_of(x).labelled:
            settings["feature_dims"] = self._feature_dims(x)
        if self.noise_variance is not None:
            settings["noise_variance"] = self.noise()
        if self.labels is not None:
            settings["labels"] = self.labels_of(x)
        if self.groups is not None:
            settings["groups"] = self.groups_of(x)
        return x, {"sample_weight": self.sample_weight(x), **settings}

    def _by_name(self) -> bool:
        """Return whether features are to be chosen among the columns of a table."""
        from daskgmm.rows.sources import source_of

        named = source_of(self.path, self.storage_options).named
        return named and not self.variables and self.features is None

    def _without_names(self, mixture: Any, keys: Sequence[str]) -> Any:
        """Return the columns of a table for a mixture that knows how many there are alone."""
        from daskgmm.models.inputs.rows import expected_features
        from daskgmm.rows.checks.naming import listed
        from daskgmm.rows.sources import source_of

        beside = {*self._beside, *self._noise_names, *keys}
        found = source_of(self.path, self.storage_options).columns().others
        x = self._opened([name for name in found if name not in beside])
        given, expected = x.n_features, expected_features(mixture)
        if given != expected:
            raise click.UsageError(
                f"MODEL has {counted(expected, 'feature')} without names, and {shown(self.path)} "
                f"{counted(given, 'column')} of numbers: "
                f"{listed(map(quoted, x.columns))}. Name those of the "
                "fit, in its order, with --columns."
            )
        context = click.get_current_context(silent=True)
        if context is None or not context.params.get("quiet"):
            said = (
                f"{shown(self.path)}: features {some_of(map(quoted, x.columns))}, in this order, "
                "as MODEL has no names of its own. To choose others, use --columns."
            )
            click.echo(wrapped(said), err=True)
        return x

    def _numbers(self, *, quiet: bool) -> tuple[str, ...] | None:
        """Return the columns of a table that are features; None if all are to be taken."""
        from daskgmm.rows.sources import source_of
        from daskgmm.rows.tables.text_columns import described

        if not self._by_name():
            return None
        found = source_of(self.path, self.storage_options).columns()
        if not found.left or not found.others:
            return None
        left = {name: word for name, word in found.left.items() if name not in self._beside}
        if left and not quiet:
            beside = (*self._beside, *self._noise_names)
            features = some_of(quoted(name) for name in found.others if name not in beside)
            said = (
                f"{shown(self.path)}: {some_of(described(left))} left out; features: {features}. "
                "To choose others, use --columns."
            )
            click.echo(wrapped(said), err=True)
        return found.others

    @property
    def _noise_names(self) -> tuple[str, ...]:
        """Names of the columns or variables of the noise; none if it has a path."""
        given = self.noise_variance
        return names_in(given) if given is not None and self._is_name(given) else ()

    @staticmethod
    def _is_name(given: str | None) -> bool:
        """Return whether a value names columns or variables of the data, and is no path."""
        if given is None or "://" in given or Path(given).exists():
            return False
        return not ("/" in given or Path(given).suffix in (".zarr", ".npy"))

    @property
    def _beside(self) -> tuple[str, ...]:
        """Names of variables that go beside the features."""
        coded = (name for name in self._coded.values() if self._is_name(name))
        return tuple(dict.fromkeys(name for name in (self.weight_column, *coded) if name))

    def labels_of(self, x: Any) -> Any:
        """Return the labels of rows, as `fit` takes them; None if there are none."""
        return self._beside_rows(self.labels, x)

    def groups_of(self, x: Any) -> Any:
        """Return the groups of rows, as `sweep` takes them; None if there are none."""
        return self._beside_rows(self.groups, x)

    def _beside_rows(self, given: str | None, x: Any) -> Any:
        """Return the name of a column or variable as it is, or what a path holds for each row."""
        if given is None or self._is_name(given):
            return given
        return self._read_beside(given, x)

    def noise(self) -> Any:
        """Return the noise of the rows, as `fit` and predictions take it; None if there is none."""
        from daskgmm.rows.sources import source_of

        if self.noise_variance is None:
            return None
        if self._noise_names:
            return list(self._noise_names)
        return source_of(self.noise_variance, self.storage_options).open()

    def check_meaning(self, weights_are: str | None) -> None:
        """Raise `click.UsageError` if a meaning is given and no weights are."""
        if weights_are and not (self.weights or self.weight_column):
            raise click.UsageError(
                "--weights-are says what weights mean, and there are none. Name them with "
                "--weights or --weight-column."
            )

    def for_mixture(
        self, mixture: Any, *, keyed: bool = False, keys: Sequence[str] | None = None
    ) -> Any:
        """Return X as a fitted mixture takes it: what was not given is as it was in the fit.

        Of a table the features of a mixture without names are the columns of numbers but `keys`, if
        there are as many. What they are is said. Where columns are named by nothing, those of
        `keyed` data are left to what takes the keys.
        """
        from daskgmm.models.inputs.rows import feature_names
        from daskgmm.rows.sources import source_of

        names, dims = feature_names(mixture), getattr(mixture, "feature_dims_", None)
        if not (self.columns or names) and self._by_name():
            return self._without_names(mixture, keys or ())
        x = self._opened(self.columns or names, names, labelled=bool(dims), keyed=keyed)
        if source_of(x).labelled and (dims is None or self.features is not None):
            mixture.feature_dims_ = tuple(self._feature_dims(x) or ())
        return x

    def _opened(
        self,
        columns: Sequence[str] | None,
        names: Sequence[str] | None = None,
        *,
        labelled: bool = False,
        keyed: bool = False,
    ) -> Any:
        """Open the data: columns of tables, or labelled arrays that have features of that name."""
        from daskgmm.rows.labelled.opening import open_labelled
        from daskgmm.rows.sources import source_of

        asked = bool(self.variables) or self.features is not None
        source = source_of(self.path, self.storage_options)
        if self.columns is not None and not source.named:
            raise click.UsageError(
                "--columns is for Parquet and CSV. Choose from Zarr groups and NetCDF with "
                "--variables."
            )
        if not source.holds_arrays:
            if asked:
                raise click.UsageError(
                    "--variables and --features are for Zarr and NetCDF. Choose from tables with "
                    "--columns."
                )
            if keyed and columns is None:
                return self.path
            # Texts are no features, and cannot be opened among them.
            named = self.labels is not None and self._is_name(self.labels)
            read = columns and tuple(dict.fromkeys((*columns, *self._noise_names)))
            texts = source.texts(str(self.labels), read) if named else None
            return texts[0].x if texts else self._open(source, columns)
        if not (asked or labelled or self._beside or source.holds_variables()):
            return source.open()
        variables = self.variables and (*self.variables, *self._noise_names)
        names = names and (*names, *self._noise_names)
        return open_labelled(
            self.path, variables, self.storage_options, beside=self._beside, features=names
        )  # fmt: skip

    def _open(self, source: Any, columns: Sequence[str] | None) -> Any:
        from daskgmm.errors import DataError

        try:
            return source.open(columns)
        except DataError as error:
            if self.labels is None or repr(self.labels) in str(error):
                raise
            # They might have been meant.
            raise DataError(f"{error} --labels {self.labels} is not a column of texts.") from error

    def _feature_dims(self, x: Any) -> tuple[str, ...] | None:
        if self.features is not None:
            return tuple(_dimension(x, name) for name in self.features)
        if hasattr(x, "data_vars"):
            return None
        likely = "band" if "band" in x.dims else x.dims[-1]
        raise click.UsageError(
            f"{shown(self.path)} has the dimensions {', '.join(map(str, x.dims))}. Say which of "
            f"them hold features, as --features {likely}, or --features '' if each value is a "
            "row."
        )

    def sample_weight(self, x: Any) -> Any:
        """Return the weights, as `fit` takes them."""
        from daskgmm.rows.checks.naming import check_among
        from daskgmm.rows.sources import source_of

        labelled = source_of(x).labelled
        if self.weight_column is not None:
            if not labelled:
                check_among((self.weight_column,), getattr(x, "all_columns", ()), self.path)
            return self.weight_column
        if self.weights is None:
            return None
        return self._read_beside(self.weights, x)

    def _read_beside(self, path: str, x: Any) -> Any:
        from daskgmm.rows.sources import source_of

        if source_of(x).labelled:
            return self._weights_of_grid(path)
        return source_of(path, self.storage_options).open()

    def _weights_of_grid(self, path: str) -> Any:
        from daskgmm.rows.labelled.opening import open_labelled

        found = open_labelled(path, None, self.storage_options)
        if not hasattr(found, "data_vars"):
            return found
        if len(found.data_vars) == 1:
            return next(iter(found.data_vars.values()))
        raise click.UsageError(
            f"{shown(path)} holds several variables; give the path of the one that is meant."
        )


def _dimension(x: Any, name: str) -> str:
    """Return the dimension of a name or of the number of an axis."""
    try:
        axis = int(name)
    except ValueError:
        return name
    arrays = list(getattr(x, "data_vars", {"": x}).values())
    dims = arrays[0].dims
    if name in x.dims:
        return name
    if any(each.dims != dims for each in arrays) or not -len(dims) <= axis < len(dims):
        raise click.UsageError(
            f"--features {name} is not an axis that all variables share; name the dimension, one "
            f"of {', '.join(map(str, x.dims))}."
        )
    return str(dims[axis])


def choosing(command: Command) -> Command:
    """Add the options that say what of the data to take; the command gets it all as `data`."""

    @wraps(command)
    def gathered(*, data: str, **settings: Any) -> Any:
        chosen, others = taken(Data, {"path": data, **settings})
        chosen.check_columns()
        return command(data=chosen, **others)

    return added(gathered, COLUMNS, VARIABLES, FEATURES, options.storage_options)


def addressing(command: Command) -> Command:
    """Add the option of stores; the command gets `address`, which makes addresses of its paths."""

    @wraps(command)
    def gathered(**settings: Any) -> Any:
        address = partial(Address.of, options=settings.pop("storage_options"))
        return command(address=address, **settings)

    return added(gathered, options.storage_options)


def weighing(command: Command) -> Command:
    """Add the options that say what rows weigh, for commands that are `choosing`."""
    return added(command, options.weights, WEIGHT_COLUMN)
