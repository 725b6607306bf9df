"""Results as Markdown tables: they read well in a terminal and paste into a document."""

from collections.abc import Iterable, Sequence


def print_table(title: str, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a title and a table whose columns line up."""
    lines = [list(headers), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"\n### {title}\n")
    for number, line in enumerate(lines):
        print("| " + " | ".join(map(str.ljust, line, widths)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print(flush=True)


def seconds(value: float | None) -> str:
    """Write a time in a unit that fits."""
    if value is None:
        return "-"
    if value < 1e-3:
        return f"{value * 1e6:.0f} us"
    return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"


def times(value: float | None) -> str:
    """Write a ratio."""
    return "-" if value is None else f"{value:.2f}x"


def percent(value: float) -> str:
    """Write a share."""
    return f"{value:.0%}"


def against(value: float | None, target: float | None, at_most: bool = False) -> str:
    """Write whether a number reaches its target."""
    if value is None or target is None:
        return "-"
    return "yes" if (value <= target if at_most else value >= target) else "NO"
