"""Certificates of a connection to a scheduler, and why there is none."""

from __future__ import annotations

from pathlib import Path

import click


def check_certificates(address: str) -> None:
    """Refuse what can never connect, and say what Dask's configuration lacks."""
    from distributed import Security
    from distributed.comm.addressing import parse_address

    security = Security()
    given = security.get_tls_config_for_role("client")
    try:
        context = security.get_connection_args("client")["ssl_context"]
    except OSError as error:
        names = (("ca-file", "ca_file"), ("client.cert", "cert"), ("client.key", "key"))
        files = ", ".join(f"{name} {_shown(given[entry])}" for name, entry in names)
        raise click.ClickException(
            f"Certificates cannot be used: {error}. Dask's configuration, distributed.comm.tls, "
            f"names {files}. Look whether these exist, may be read and belong together."
        ) from error
    scheme = parse_address(address)[0]
    if scheme == "tls" and context is None:
        raise click.ClickException(
            f"{address} takes certificates, and Dask's configuration has none. Set ca-file, "
            "client.cert and client.key of distributed.comm.tls there; deploy/tls has a file."
        )
    if scheme == "tcp" and security.require_encryption:
        raise click.ClickException(
            f"{address} is not encrypted, as distributed.comm.require-encryption of Dask's "
            "configuration wants it. Write tls:// if the scheduler has certificates, or set that "
            "to false."
        )


def check_address(address: str, given: str) -> None:
    """Refuse what is no address: a client of that would hang at exit."""
    from distributed.comm.addressing import parse_address, parse_host_port
    from distributed.comm.registry import backends

    scheme, rest = parse_address(address)
    try:
        if scheme not in backends:
            raise ValueError(f"there is no {scheme}://")
        if scheme != "inproc":
            parse_host_port(rest)
    except ValueError as error:
        hint = " Is it a file, for --scheduler-file?" if Path(address).exists() else ""
        raise click.UsageError(
            f"{address or 'Nothing'}, of {given}, is not an address of a Dask scheduler: {error}. "
            f"Give one such as tcp://host:8786.{hint}"
        ) from error


def no_connection(address: str, given: str, error: Exception) -> str:
    """Return what to tell the user about a scheduler that cannot be reached."""
    from distributed.comm.addressing import parse_address
    from distributed.comm.core import CommClosedError

    why = str(error) or str(error.__cause__)
    certified = parse_address(address)[0] == "tls"
    # tornado's ValueError is that of a scheduler which speaks before TLS has begun.
    if certified and isinstance(error, (CommClosedError, ValueError)):
        return (
            f"The scheduler at {address} and this process do not trust each other: {why}. Both "
            "take certificates of the same CA that have not expired, from distributed.comm.tls of "
            "Dask's configuration; if the scheduler has none, write tcp:// here."
        )
    if isinstance(error, CommClosedError):
        return (
            f"The scheduler at {address} closed the connection: {why}. Look at its log; if it has "
            "certificates, write tls:// here."
        )
    return (
        f"No Dask scheduler answers at {address}, of {given}: {why}. Is it that of one which has "
        "ended? Start one with `dask scheduler`, or leave the option out to use threads."
    )


def _shown(value: str | None) -> str:
    if value is None:
        return "nothing"
    return "text" if "\n" in value else value  # a key may be there as text
