"""What becomes of --storage-option."""

import click
import pytest

from daskgmm.cli.options.storage import check_storage_options


def parsed(*values):
    return check_storage_options(None, None, values)


def test_values_are_json_or_text_and_dots_nest():
    assert parsed() is None
    assert parsed(
        "key=abc",
        "anon=false",
        "client_kwargs.endpoint_url=http://127.0.0.1:1/?a=b",
        "client_kwargs.region_name=eu",
        'token="123"',
        "n=12",
        "empty=",
    ) == {
        "key": "abc",
        "anon": False,
        "client_kwargs": {"endpoint_url": "http://127.0.0.1:1/?a=b", "region_name": "eu"},
        "token": "123",
        "n": 12,
        "empty": "",
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["secret-alone"], "give KEY=VALUE"),
        (["=secret"], "give KEY=VALUE"),
        (["a..b=secret"], "give KEY=VALUE"),
        (["a=secret", "a=other"], "a has a value already"),
        (["a=secret", "a.b=other"], "a of a.b has a value already"),
        (["a.b=secret", "a=other"], "a has a value already"),
    ],
)
def test_what_is_none_is_refused_without_its_value(values, words):
    with pytest.raises(click.BadParameter, match=words) as caught:
        parsed(*values)
    assert "secret" not in str(caught.value)


def test_local_data_take_no_harm(call, folder):
    result = call("fit", "rows.zarr", "-k", 3, "--out", "m.json", "--storage-option", "key=abc")
    assert result.exit_code == 0
