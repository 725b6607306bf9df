"""The command line: fit, sweep, plan, predict, info, demo.

Results go to standard output, progress and messages to standard error. What is heavy to
import is imported where it is used, so that help and usage errors come at once.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from daskgmm.errors import DaskGMMError
from daskgmm.version import __version__

FAILED, NOT_CONVERGED, INTERRUPTED = 1, 3, 130
"""Exit codes; 0 is success and 2 wrong usage, as click has it."""

COVARIANCES = ("full", "tied", "diag", "spherical")
STARTS = ("kmeans", "k-means++", "random", "random_from_data")
CRITERIA = ("bic", "aic", "icl", "heldout")

MOST_SIZES = 1000
"""Numbers of components that one command may ask for: more is a slip of the keyboard."""


class Guarded(click.Group):
    """A group whose commands end in messages, never in tracebacks."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        with plain_warnings():
            try:
                return super().invoke(ctx)
            except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
                raise
            except KeyboardInterrupt as interrupt:
                click.echo(f"Interrupted; {str(interrupt) or 'nothing was written'}.", err=True)
                ctx.exit(INTERRUPTED)
            except Exception as error:
                if os.environ.get("DASKGMM_TRACEBACK"):
                    traceback.print_exc()
                raise click.ClickException(advice(error)) from error


def advice(error: Exception) -> str:
    """Return what to tell the user about an error."""
    if isinstance(error, MemoryError):
        return "Memory ran out. Use fewer --threads, or data with smaller chunks."
    if isinstance(error, FileExistsError) and not error.filename:
        again = "" if "not overwritten" in str(error) else ", or add --overwrite"
        return f"{error} Choose another --out{again}."
    if isinstance(error, (DaskGMMError, ValueError, OSError)):
        return str(error) or type(error).__name__
    return (
        f"{type(error).__name__}: {error}\nThis is a bug in daskgmm. Please report it, with the "
        "command and what it shows when the variable DASKGMM_TRACEBACK=1 is set."
    )


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show Python's warnings as lines."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        click.echo(f"Warning: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        # The fit command says it itself, with what to do on the command line.
        warnings.filterwarnings("ignore", "Best performing initialization did not converge")
        warnings.showwarning = show
        yield


def running(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of commands that make passes over data."""
    for option in (
        click.option("--quiet", "-q", is_flag=True, help="Show only warnings and errors."),
        click.option("--overwrite", is_flag=True, help="Replace what --out names, at the end."),
        click.option(
            "--stall-timeout",
            metavar="TIME",
            help="Give up a cluster that has had no worker for so long.  [default: 5 minutes]",
        ),
        click.option(
            "--retries",
            type=click.IntRange(0),
            help="Times that a read that fails is tried again.  [default: 3]",
        ),
        click.option("--scheduler", metavar="ADDRESS", help="Run on this Dask cluster."),
        click.option(
            "--threads", type=click.IntRange(1), help="Threads to use.  [default: all CPUs]"
        ),
    ):
        command = option(command)
    return command


def check_size(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse what is no number of bytes."""
    from dask.utils import parse_bytes

    try:
        if value is not None and parse_bytes(value) >= 0:
            return value
    except ValueError:
        pass
    if value is None:
        return None
    raise click.BadParameter(f"{value} is no size; give one such as 2GiB or 500MB.")


def fitting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of commands that fit mixtures."""
    for option in (
        click.option(
            "--log-json", type=click.File("a"), metavar="FILE",
            help="Append every event as a line of JSON ('-' for standard output).",
        ),
        click.option(
            "--cache", metavar="SIZE", callback=check_size,
            help="Keep so much decoded data in memory, as 2GiB.",
        ),
        click.option(
            "--checkpoint", metavar="PATH",
            help="Keep the state of the fit in this file or URL, and go on from it if it is there.",
        ),
        click.option(
            "--weights", metavar="PATH", help="Array of one weight a row (Zarr or .npy)."
        ),
        click.option(
            "--seed", "random_state", type=click.IntRange(0, 2**32 - 1), default=0,
            show_default=True,
        ),
        click.option(
            "--reg-covar", type=click.FloatRange(0), default=1e-6, show_default=True,
            help="Added to the diagonals of the covariances.",
        ),
        click.option("--max-iter", type=click.IntRange(1), default=100, show_default=True),
    ):  # fmt: skip
        command = option(command)
    return command


def tolerance(default: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what adds the option that says when to stop."""
    return click.option(
        "--tol", type=click.FloatRange(0), default=default, show_default=True,
        help="Stop when a hundredth of it is predicted to be left, in nats a row; with "
        "--acceleration none when the log likelihood changes by less.",
    )  # fmt: skip


@contextmanager
def workers(
    threads: int | None, scheduler: str | None, retries: int | None, stall_timeout: str | None
) -> Iterator[None]:
    """Make passes run on so many threads, or on the cluster at that address."""
    import dask

    from daskgmm.passes.running import Running

    chosen = {
        "num_workers": threads,
        "daskgmm.retries": retries,
        "daskgmm.stall-timeout": stall_timeout,
    }
    with ExitStack() as stack:
        known = {name: value for name, value in chosen.items() if value is not None}
        stack.enter_context(dask.config.set(known))
        try:
            Running.configured()
        except (KeyError, ValueError) as error:
            raise click.UsageError(
                f"--stall-timeout {stall_timeout} is no time; give one such as 90s or 10min."
            ) from error
        if scheduler is not None:
            from distributed import Client

            try:
                # Not the default one: a client that never connected would stay behind as that.
                client = stack.enter_context(Client(scheduler, set_as_default=False))
            except (OSError, ValueError) as error:
                raise click.ClickException(
                    f"No Dask scheduler answers at {scheduler}: {error}. Start one with "
                    "`dask scheduler`, or leave out --scheduler to use threads."
                ) from error
            stack.enter_context(client.as_current())
        yield


@click.group(cls=Guarded, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="daskgmm")
def main() -> None:
    """Fit Gaussian mixtures to data that do not fit in memory.

    Exit codes: 0 done, 1 failed, with a message that says what to do, 2 wrong usage,
    3 not converged (the model is written), 130 interrupted.
    """


@main.command(short_help="Fit a mixture to data; write a model file.")
@click.argument("data")
@click.option("--components", "-k", "n_components", type=click.IntRange(1), required=True)
@click.option(
    "--covariance", "covariance_type", type=click.Choice(COVARIANCES), default="full",
    show_default=True,
)  # fmt: skip
@click.option("--out", "-o", required=True, metavar="MODEL", help="Model file to write (JSON).")
@click.option(
    "--n-init", type=click.IntRange(1), default=1, show_default=True,
    help="Starts to try; the best is kept.",
)  # fmt: skip
@click.option(
    "--init", "init_params", type=click.Choice(STARTS), default="kmeans", show_default=True,
    help="How to start.",
)  # fmt: skip
@click.option(
    "--acceleration", type=click.Choice(["auto", "none"]), default="auto", show_default=True,
    help="none is plain EM, iteration by iteration scikit-learn's.",
)  # fmt: skip
@tolerance(1e-3)
@fitting
@running
def fit(
    data: str,
    out: str,
    acceleration: str,
    weights: str | None,
    checkpoint: str | None,
    cache: str | None,
    log_json: TextIO | None,
    threads: int | None,
    scheduler: str | None,
    retries: int | None,
    stall_timeout: str | None,
    overwrite: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Fit a mixture to DATA, a path or URL of a Zarr array, or a .npy file."""
    with at_once():
        from daskgmm.em.events import together
        from daskgmm.models.gaussian_mixture import GaussianMixture
        from daskgmm.models.model_file import model_path, save_model
        from daskgmm.progress import JsonLines, show_fit
        from daskgmm.rows.opening import open_path

    target = model_path(out, overwrite=overwrite)
    rows = open_path(data)
    sample_weight = None if weights is None else open_path(weights)
    chosen = None if acceleration == "none" else acceleration
    mixture = GaussianMixture(**settings, acceleration=chosen)
    with (
        workers(threads, scheduler, retries, stall_timeout),
        show_fit(mixture.tol, mixture.max_iter, quiet=quiet) as shown,
    ):
        listeners = [] if shown is None else [shown]
        if log_json is not None:
            listeners.append(JsonLines(log_json))
        with interruptible(checkpoint):
            mixture.fit(
                rows,
                sample_weight=sample_weight,
                checkpoint=checkpoint,
                cache=cache,
                listen=together(*listeners),
            )
    save_model(mixture, target)
    if not quiet:
        # Standard output may be taken by the events.
        click.echo(fit_report(mixture, out), err=log_json is not None)
    if not mixture.converged_:
        click.echo(f"Warning: {not_converged(mixture, checkpoint)}", err=True)
        raise click.exceptions.Exit(NOT_CONVERGED)


def fit_report(mixture: Any, out: str) -> str:
    """Return the result of a fit in a line."""
    k, d = mixture.means_.shape
    ended = "converged" if mixture.converged_ else "stopped"
    return (
        f"{out}: {k} components in {d} features, {mixture.covariance_type} covariance, {ended} "
        f"after {mixture.n_iter_} iterations, log likelihood {mixture.lower_bound_:.5f}"
    )


@contextmanager
def interruptible(checkpoint: str | None) -> Iterator[None]:
    """Say what an interruption leaves behind."""
    try:
        yield
    except KeyboardInterrupt as error:
        if checkpoint is None or not Path(checkpoint).is_file():
            raise
        raise KeyboardInterrupt(
            f"{checkpoint} holds the fit so far. The same command goes on from there"
        ) from error


@contextmanager
def at_once() -> Iterator[None]:
    """Let Ctrl-C end the process while modules are imported, which may swallow the exception."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def not_converged(mixture: Any, checkpoint: str | None) -> str:
    """Return what is to be done about a fit that used up its iterations."""
    plural = "" if mixture.n_iter_ == 1 else "s"
    return (
        f"not converged after {mixture.n_iter_} iteration{plural}: {_missing(mixture)}. The "
        "model is written and can be used. For a closer fit "
        f"run again with --overwrite and --max-iter {3 * mixture.max_iter}"
        + ("" if checkpoint is None else f", which goes on from {checkpoint}")
        + ("; to stop earlier raise --tol." if mixture.tol > 0 else ".")
    )


def _missing(mixture: Any) -> str:
    """Return what convergence asks for, and what there is instead."""
    if math.isfinite(mixture.gap_estimate_):
        return (
            f"{mixture.gap_estimate_:.1e} nats a row are predicted to be left, and "
            f"{mixture.tol / 100:.1e} are allowed"
        )
    bounds = mixture.lower_bounds_
    change = f"{abs(bounds[-1] - bounds[-2]):.1e}" if len(bounds) > 1 else "not known"
    return f"the last change is {change}, the tolerance {mixture.tol:.1e}"


def check_sizes(context: click.Context, option: click.Parameter, value: str) -> list[int]:
    """Return the numbers that a text such as 2-20 or 2,4,8 names."""
    found: set[int] = set()
    for part in value.split(","):
        first, dash, last = part.partition("-")
        ends = (first, last if dash else first)
        if not all(end.strip().isdecimal() for end in ends):
            raise click.BadParameter(f"{value} is no range; give one such as 2-20, 2,4,8 or 5.")
        low, high = map(int, ends)
        if not 1 <= low <= high:
            raise click.BadParameter(f"{part} is no range: give the smaller number first, from 1.")
        if high - low + len(found) >= MOST_SIZES:
            raise click.BadParameter(f"{value} asks for more than {MOST_SIZES:,} sizes.")
        found.update(range(low, high + 1))
    return sorted(found)


def check_suffix(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse a table that is not named as one: it might be data."""
    if value is not None and Path(value).suffix.lower() != ".csv":
        raise click.BadParameter(f"{value} does not end in .csv.")
    return value


@main.command(short_help="Choose the number of components; write the best model.")
@click.argument("data")
@click.option(
    "--components", "-k", "n_components", required=True, metavar="RANGE", callback=check_sizes,
    help="Numbers of components: 2-20, or 2,4,8.",
)  # fmt: skip
@click.option(
    "--covariance", "covariance_type", type=click.Choice(COVARIANCES), multiple=True,
    default=("full",), show_default=True, help="May be given several times.",
)  # fmt: skip
@click.option(
    "--criterion", type=click.Choice(CRITERIA), default="bic", show_default=True,
    help="What tells the best.",
)  # fmt: skip
@click.option(
    "--out", "-o", required=True, metavar="MODEL", help="Model file to write (JSON): the best."
)
@click.option(
    "--table", metavar="FILE", callback=check_suffix, help="Write the whole table (.csv)."
)
@click.option("--plot", metavar="FILE", help="Draw the criterion (.png, .svg, .pdf).")
@click.option(
    "--n-init", type=click.IntRange(1), default=3, show_default=True,
    help="Starts of each, on a sample.",
)  # fmt: skip
@tolerance(1e-3)
@fitting
@running
def sweep(
    data: str,
    out: str,
    table: str | None,
    plot: str | None,
    weights: str | None,
    checkpoint: str | None,
    log_json: TextIO | None,
    threads: int | None,
    scheduler: str | None,
    retries: int | None,
    stall_timeout: str | None,
    overwrite: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Fit mixtures of several sizes to DATA in the passes of one; write the best."""
    with at_once():
        from daskgmm.em.events import together
        from daskgmm.models.model_file import model_path, save_model
        from daskgmm.models.sweep import sweep as run_sweep
        from daskgmm.progress import JsonLines, show_sweep
        from daskgmm.rows.opening import open_path

    target = model_path(out, overwrite=overwrite)
    write = besides(target, table, plot, overwrite)
    rows = open_path(data)
    sample_weight = None if weights is None else open_path(weights)
    with (
        workers(threads, scheduler, retries, stall_timeout),
        show_sweep(quiet=quiet) as shown,
    ):
        listeners = [] if shown is None else [shown]
        if log_json is not None:
            listeners.append(JsonLines(log_json))
        with interruptible(checkpoint):
            found = run_sweep(
                rows,
                sample_weight=sample_weight,
                checkpoint=checkpoint,
                listen=together(*listeners),
                **settings,
            )
    best = found.best()
    save_model(best, target)
    write(found)
    if not quiet:
        click.echo(sweep_report(found, best, out), err=log_json is not None)
    if not best.converged_:
        click.echo(f"Warning: {not_converged(best, None)}", err=True)
        raise click.exceptions.Exit(NOT_CONVERGED)


def besides(
    target: Path | str, table: str | None, plot: str | None, overwrite: bool
) -> Callable[[Any], None]:
    """Return what writes the table and the plot of a sweep; raise unless they may go there."""
    from daskgmm.files import replace_bytes
    from daskgmm.sweep_report import check_picture, checked_output, picture, table_csv

    places = {
        option: checked_output(path, option, overwrite)
        for option, path in (("--table", table), ("--plot", plot))
        if path is not None
    }
    named = {Path(place).resolve() for place in (target, *places.values())}
    if len(named) <= len(places):
        raise click.UsageError("--out, --table and --plot name the same file.")
    if "--plot" in places:
        check_picture(places["--plot"])

    def write(found: Any) -> None:
        if "--table" in places:
            replace_bytes(places["--table"], table_csv(found.table).encode())
        if "--plot" in places:
            place = places["--plot"]
            replace_bytes(place, picture(found, found.criterion, place.suffix))

    return write


def sweep_report(found: Any, best: Any, out: str) -> str:
    """Return the table of a sweep, the best model marked, and what became of the rest."""
    from daskgmm.sweep_report import staying_text, table_text

    place = next(i for i, model in enumerate(found.models) if model is best)
    ended = "converged" if best.converged_ else "stopped"
    return (
        f"{table_text(found.table, place)}\n\n{staying_text(found.table)}\n"
        f"{out}: {best.n_components} components, {best.covariance_type} covariance, the best by "
        f"{found.criterion}, {ended} after {best.n_iter_} iterations"
    )


@main.command(short_help="Say what a fit will cost, before a byte is read.")
@click.argument("data")
@click.option("--components", "-k", "n_components", type=click.IntRange(1), required=True)
@click.option(
    "--covariance", "covariance_type", type=click.Choice(COVARIANCES), default="full",
    show_default=True,
)  # fmt: skip
@click.option("--max-iter", type=click.IntRange(1), default=100, show_default=True)
@click.option("--n-init", type=click.IntRange(1), default=1, show_default=True)
@click.option("--weights", metavar="PATH", help="Array of one weight a row (Zarr or .npy).")
@click.option(
    "--cache", metavar="SIZE", callback=check_size,
    help="Keep so much decoded data in memory, as 2GiB.",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Threads to use.  [default: all CPUs]")
@click.option("--scheduler", metavar="ADDRESS", help="Run on this Dask cluster.")
def plan(
    data: str, weights: str | None, threads: int | None, scheduler: str | None, **settings: Any
) -> None:
    """Say what a fit to DATA will cost: bytes, batches, passes, memory."""
    with at_once():
        from daskgmm.models.planning import plan as plan_fit
        from daskgmm.rows.opening import open_path

    rows = open_path(data)
    sample_weight = None if weights is None else open_path(weights)
    with workers(threads, scheduler, None, None):
        found = plan_fit(rows, sample_weight=sample_weight, **settings)
    click.echo(found)
    found.check()


@main.command(short_help="Write the component of each row to Zarr.")
@click.argument("model")
@click.argument("data")
@click.option("--out", "-o", required=True, metavar="LABELS", help="Zarr array to write.")
@running
def predict(
    model: str,
    data: str,
    out: str,
    threads: int | None,
    scheduler: str | None,
    retries: int | None,
    stall_timeout: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Write the most probable component of each row of DATA to a Zarr array."""
    with at_once():
        from daskgmm.models.label_file import label_path, write_labels
        from daskgmm.models.model_file import load_model
        from daskgmm.progress import show_pass
        from daskgmm.rows.opening import open_path

    target = label_path(out, overwrite=overwrite)
    mixture, rows = load_model(model), open_path(data)
    if target.exists() and Path(data).exists() and target.samefile(data):
        raise click.UsageError("--out names DATA itself, which is not overwritten.")
    running_on = workers(threads, scheduler, retries, stall_timeout)
    with running_on, show_pass("labels", quiet=quiet) as progress:
        counts = write_labels(mixture, rows, target, progress, overwrite=overwrite)
    if not quiet:
        click.echo(f"{out}: {counts.sum():,} labels")
        for component, count in enumerate(counts):
            click.echo(f"  {component:>4}  {count:>15,}  {count / max(1, counts.sum()):>6.1%}")


@main.command(short_help="Say what a model file or an array is.")
@click.argument("path")
def info(path: str) -> None:
    """Say what PATH is: a model file, a Zarr array or a .npy file."""
    from daskgmm.describe import describe_array, describe_model
    from daskgmm.files import is_url
    from daskgmm.models.model_file import load_model
    from daskgmm.rows.opening import open_path

    url_of_model = is_url(path) and path.endswith(".json")
    if url_of_model or (Path(path).is_file() and Path(path).suffix not in (".npy", ".zip")):
        click.echo(describe_model(load_model(path), path))
    else:
        click.echo(describe_array(open_path(path), path))


@main.command()
@click.option("--out", "-o", default="daskgmm-demo", show_default=True, help="Folder to write.")
@click.option(
    "--image", type=click.Choice(["china.jpg", "flower.jpg"]), default="flower.jpg",
    show_default=True,
)  # fmt: skip
@click.option("--components", "-k", type=click.IntRange(1), default=5, show_default=True)
@click.option("--quiet", "-q", is_flag=True, help="Show only warnings and errors.")
def demo(out: str, image: str, components: int, quiet: bool) -> None:
    """Segment a photograph: pixels to Zarr, fit, labels, picture."""
    from daskgmm.demo import run_demo

    story = run_demo(Path(out), image, components, program(), quiet=quiet)
    if not quiet:
        click.echo(story)


def program() -> str:
    """Return what to type to run this program: its path, unless the shell finds it."""
    path = Path(sys.argv[0])
    if path.name != "daskgmm" or shutil.which("daskgmm") == str(path.absolute()):
        return "daskgmm"
    return str(path)


if __name__ == "__main__":
    main(prog_name="daskgmm")
