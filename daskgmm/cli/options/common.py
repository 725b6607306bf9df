"""Options that several commands have, and what is made of their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from daskgmm.cli.options.completing import PLACE, NewPlace, listed_items
from daskgmm.cli.options.storage import check_storage_options
from daskgmm.loaded import loaded
from daskgmm.models.writers.naming import check_model_name
from daskgmm.names import ALL, COVARIANCES, CRITERIA, FACTORS, NAMES_OF_MCLUST, TAILS

Command = Callable[..., Any]

Record = TypeVar("Record")


def checked_size(value: str) -> str:
    """Return a number of bytes as it was given; refuse other texts."""
    from dask.utils import parse_bytes

    try:
        if parse_bytes(value) >= 0:
            return value
    except ValueError:
        pass
    raise click.BadParameter(f"{value} is not a size; give one such as 2GiB or 500MB.")


MOST_SIZES = 1000
"""Numbers of components that one command may ask for: more is a slip of the keyboard."""


def sizes_in(value: str) -> list[int]:
    """Return the numbers in a text such as 2-20 or 2,4,8."""
    sizes: set[int] = set()
    for part in value.split(","):
        first, dash, last = part.partition("-")
        ends = (first, last if dash else first)
        if not all(end.strip().isdecimal() for end in ends):
            raise click.BadParameter(f"{value} is not a range; give one such as 2-20, 2,4,8 or 5.")
        low, high = map(int, ends)
        if low < 1:
            raise click.BadParameter(f"{part} is too few: give 1 or more.")
        if low > high:
            raise click.BadParameter(f"{part} is not a range: give the smaller number first.")
        if high - low + len(sizes) >= MOST_SIZES:
            raise click.BadParameter(f"{value} asks for more than {MOST_SIZES:,} sizes.")
        sizes.update(range(low, high + 1))
    return sorted(sizes)


if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    Choice = click.Choice[str]
    ParamType = click.ParamType[Any]
else:
    Choice = click.Choice  # generic since click 8.4
    ParamType = click.ParamType


class Entries(Choice):
    """Names of the entries of a table of `daskgmm.gaussian`, from the table if it is loaded.

    Until then there are only those that it always has: whatever adds others loads it.

    Parameters
    ----------
    table : str
        Its name there.
    module : str
        Where it is defined.
    always : tuple of str
        The entries that it always has.
    others : tuple of str
        What may be given beside the entries.
    """

    def __init__(
        self, table: str, module: str, always: tuple[str, ...], others: tuple[str, ...] = ()
    ) -> None:
        self._table, self._module = table, f"daskgmm.gaussian.{module}"
        self._always, self._others = always, others
        super().__init__(())

    @property
    def choices(self) -> tuple[str, ...]:
        """The names in the table, and the others."""
        module = loaded(self._module)
        names = self._always if module is None else tuple(getattr(module, self._table))
        return (*names, *self._others)

    @choices.setter
    def choices(self, given: tuple[str, ...]) -> None:
        """Take none: the table has them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name in the table of what is given, which may be mclust's.

        Of one that is not there say how others are added.
        """
        family, _, factors = str(value).partition("-")
        if family in FACTORS and family in self.choices and factors.isdecimal():
            self.fail(f"{value} is given as {family}, with --n-factors {factors}.", param, ctx)
        if value not in self.choices:
            value = NAMES_OF_MCLUST.get(value, value)
        try:
            return str(super().convert(value, param, ctx))
        except click.BadParameter as error:
            self.fail(
                f"{error.message.rstrip('.')}. If a module of yours adds it to "
                f"daskgmm.gaussian.{self._table}, name that with --import MODULE.",
                param,
                ctx,
            )


def structures(*others: str) -> Entries:
    """Return the type of names of covariance structures."""
    return Entries("STRUCTURES", "covariance.structures", COVARIANCES, (*FACTORS, *others))


class Several(ParamType):
    """Names that a choice has, with commas between them."""

    name = "names"

    def __init__(self, choice: Choice) -> None:
        self._choice = choice

    def get_metavar(self, *about: Any, **more: Any) -> str | None:
        """Return the names that there are."""
        return self._choice.get_metavar(*about, **more)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that may stand last."""
        return listed_items(self._choice, ctx, param, incomplete)

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """Return the names as a tuple."""
        names = value if isinstance(value, tuple) else str(value).split(",")
        return tuple(self._choice.convert(name.strip(), param, ctx) for name in names)


def joined(
    context: click.Context, option: click.Parameter, values: Sequence[tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the names of all occurrences of an option, each once."""
    return tuple(dict.fromkeys(name for names in values for name in names))


def model_and_data(command: Command) -> Command:
    """Add the arguments MODEL and DATA to a command."""
    return added(command, *(click.argument(name, type=PLACE) for name in ("model", "data")))


def several(
    name: str, *others: str, parse: Callable[[str], Any], **settings: Any
) -> Callable[[Command], Command]:
    """Return an option of several values, with commas or given again; `parse` gets them joined."""

    def parsed(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> Any:
        return parse(",".join(values)) if values else None

    return click.option(name, *others, multiple=True, callback=parsed, **settings)


def check_acceleration(context: click.Context, option: click.Parameter, value: str) -> str | None:
    """Return None for none, as estimators say it."""
    return None if value == "none" else value


acceleration = click.option(
    "--acceleration", type=click.Choice(["auto", "none"]), default="auto", show_default=True,
    callback=check_acceleration, help="none is plain EM, with the same iterations as scikit-learn.",
)  # fmt: skip
cache = click.option(
    "--cache", metavar="SIZE", type=checked_size,
    help="Keep this amount of decoded data in memory, for example 2GiB.",
)  # fmt: skip
components = click.option(
    "--components", "-k", "n_components", type=click.IntRange(1), required=True,
    help="Number of components.",
)  # fmt: skip
covariance = click.option(
    "--covariance", "covariance_type", type=structures(), default="full",
    show_default=True, help="Covariance structure.",
)  # fmt: skip
n_factors = click.option(
    "--n-factors", type=click.IntRange(1), metavar="Q",
    help="Number of factors, with --covariance ppca, factor or mcfa.",
)  # fmt: skip
noise = click.option(
    "--noise",
    is_flag=True,
    help="Add a uniform component over the ranges of the features for outliers; its label is -1.",
)
tails = click.option(
    "--tails",
    type=click.Choice(TAILS),
    help="For outliers: give each component a part with a larger covariance, or Student-t tails.",
)
n_candidates = click.option(
    "--n-candidates", type=click.IntRange(1), metavar="M",
    help=(
        "For very many components: compute the density of each row under M components alone, "
        "those of its region. The fit says what this leaves out."
    ),
)  # fmt: skip
max_iter = click.option(
    "--max-iter", type=click.IntRange(1), default=100, show_default=True,
    help="Largest number of iterations; each is a pass over DATA.",
)  # fmt: skip
model_out = partial(
    click.option, "--out", "-o", required=True, type=NewPlace(check_model_name),
    help="Model file to write (JSON).",
)  # fmt: skip
overwrite = click.option(
    "--overwrite", is_flag=True, help=("Replace an existing output once the new one is complete.")
)
quiet = click.option("--quiet", "-q", is_flag=True, help="Show only warnings and errors.")
sample_rows = click.option(
    "--sample-rows", type=click.IntRange(1), metavar="N",
    help="Number of rows in the sample for the starts.  [default: what the model needs]",
)  # fmt: skip
storage_options = click.option(
    "--storage-option", "storage_options", multiple=True, metavar="KEY=VALUE",
    callback=check_storage_options,
    help=(
        "Option for URLs, for example anon=true or client_kwargs.region_name=eu-west-1; can be "
        "repeated. Other users of this machine can see the command line, so keep secret keys in "
        "the environment."
    ),
)  # fmt: skip
weights = click.option(
    "--weights",
    metavar="PATH",
    type=PLACE,
    help="Array with one weight for each row (Zarr or .npy) or each grid point (Zarr).",
)
weights_are = click.option(
    "--weights-are", type=click.Choice(["relative", "counts"]),
    help=(
        "What the weights mean. It sets the number of rows in AIC, BIC, ICL, priors and "
        "adaptation: the effective number, whatever the scale (relative), or the sum of the "
        "weights (counts).  [default: relative, with a warning for whole numbers]"
    ),
)  # fmt: skip


def covariances(text: str, *, multiple: bool = True) -> Callable[[Command], Command]:
    """Return the option of the types of covariance, several where they are compared."""
    how: dict[str, Any] = {"default": "full"}
    if multiple:
        how = {"multiple": True, "callback": joined, "default": ("full",)}
    return click.option(
        "--covariance", "covariance_type", type=Several(structures(ALL)), show_default=True,
        help=text, **how,
    )  # fmt: skip


def criterion(text: str) -> Callable[[Command], Command]:
    """Return the option of the criterion that models are compared by."""
    return click.option(
        "--criterion", type=click.Choice(tuple(CRITERIA)), default="bic", show_default=True,
        help=text,
    )  # fmt: skip


def tolerance(default: float) -> Callable[[Command], Command]:
    """Return what adds the option that says when to stop."""
    return click.option(
        "--tol", type=click.FloatRange(0), default=default, show_default=True,
        help=(
            "Stop when the predicted remaining gain is below a hundredth of this, in nats per "
            "row. Plain EM (fit --acceleration none) stops when the log likelihood changes by "
            "less than this."
        ),
    )  # fmt: skip


def added(command: Command, *options: Callable[[Command], Command]) -> Command:
    """Add options to a command, to be listed in the order given."""
    for option in reversed(options):
        command = option(command)
    return command


def taken(record: Callable[..., Record], settings: dict[str, Any]) -> tuple[Record, dict[str, Any]]:
    """Return a record of the settings that are named as its fields, and all other settings."""
    names = {field.name for field in fields(cast("Any", record))}
    own = {name: value for name, value in settings.items() if name in names}
    return record(**own), {name: settings[name] for name in settings.keys() - names}
