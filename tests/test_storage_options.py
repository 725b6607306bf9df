"""Errors in which no option is repeated."""

import pytest

from daskgmm.storage_options import described, harmless

OPTIONS = {
    "key": "public-key",
    "anon": False,
    "region": "eu-west-1",
    "client_kwargs": {"endpoint_url": "http://127.0.0.1:1", "headers": [("x", b"header-value")]},
    "token": "abc",
}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("public-key is no key", "*** is no key"),
        ("header-value is refused", "*** is refused"),
        ("nobody at http://127.0.0.1:1 in eu-west-1", "nobody at http://127.0.0.1:1 in eu-west-1"),
        ("nobody at http://me:word@host/x", "nobody at http://***@host/x"),
        ("abc is too short to be found again", "abc is too short to be found again"),
        ("it broke\n\nDebug source:\nGeneric { }", "it broke"),
    ],
)
def test_described(message, told):
    assert described(OSError(message), OPTIONS) == f"OSError: {told}"


def test_causes_with_options_are_not_shown():
    inner, outer = OSError("public-key"), OSError("outer")
    outer.__cause__ = inner
    assert harmless(inner) is inner
    assert harmless(inner, OPTIONS) is None
    assert harmless(outer, OPTIONS) is None
    assert harmless(OSError("nothing"), OPTIONS) is not None
