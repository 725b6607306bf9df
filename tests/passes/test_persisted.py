"""Arrays that were persisted: used where their cluster is there, refused where it is not."""

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture, sweep
from daskgmm.errors import SourceError
from tests.promises.slow import bits

ROWS = np.random.default_rng(0).normal(size=(2000, 2))
SETTINGS = {"n_components": 2, "max_iter": 3, "random_state": 0}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def a_cluster():
    return LocalCluster(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    )


def rows(scale=1.0):
    return da.from_array(scale * ROWS, chunks=(250, 2))


def persisted(kind):
    """Return X and weights, one of which is made of what was persisted."""
    import dask.dataframe as dd
    import xarray as xr

    if kind == "array":
        return rows().persist(), None
    if kind == "computed from one":
        kept = rows().persist()
        return (kept - kept.mean(0)) / kept.std(0), None
    if kind == "element of a list":
        return [rows(), rows().persist()], None
    if kind == "weights":
        return rows(), da.ones(2000, chunks=250).persist()
    if kind == "DataArray":
        return xr.DataArray(rows().persist(), dims=("time", "band")), None
    if kind == "Dataset":
        names = {"a": ("time", rows()[:, 0]), "b": ("time", rows()[:, 1].persist())}
        return xr.Dataset(names), None
    frame = pd.DataFrame(ROWS, columns=["a", "b"])
    return dd.from_pandas(frame, npartitions=4).persist(), None


KINDS = [
    "array",
    "computed from one",
    "element of a list",
    "weights",
    "DataArray",
    "Dataset",
    "data frame",
]


def fit(x, weights):
    features = {"feature_dims": ["band"]} if getattr(x, "dims", ()) == ("time", "band") else {}
    return GaussianMixture(**SETTINGS).fit(x, sample_weight=weights, **features)


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_is_closed(kind):
    with a_cluster() as cluster, Client(cluster):
        x, weights = persisted(kind)
        fit(x, weights)
    name = "X" if weights is None else "sample_weight"
    message = rf"{name} was persisted, .* client that is closed.*Persist it again"
    with pytest.raises(SourceError, match=message):
        fit(x, weights)
    with a_cluster() as cluster, Client(cluster), pytest.raises(SourceError, match=message):
        fit(x, weights)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "weights"])
def test_predictions_of_what_is_gone(kind, tmp_path):
    with a_cluster() as cluster, Client(cluster):
        x, _ = persisted(kind)
        mixture = fit(x, None)
        np.asarray(mixture.predict(x))
    # Lazy predictions look at what is cheap to look at: at the whole of what was persisted.
    calls = [mixture.score, mixture.predict, mixture.predict_proba]
    if kind == "data frame":
        calls.append(lambda x: mixture.predict_to_parquet(x, tmp_path / "out"))
    else:
        calls.append(lambda x: mixture.predict_to_zarr(x, tmp_path / "out"))
    for call in calls:
        with pytest.raises(SourceError, match="client that is closed"):
            call(x)
    assert not list(tmp_path.iterdir())


def test_results_that_were_cancelled():
    with a_cluster() as cluster, Client(cluster) as client:
        x = rows().persist()
        mixture = GaussianMixture(**SETTINGS).fit(x)
        client.cancel(x)
        for call in (mixture.fit, mixture.score, mixture.predict, lambda x: sweep(x, [1, 2])):
            with pytest.raises(SourceError, match="cancelled, or their cluster was restarted"):
                call(x)


def test_another_cluster_that_still_runs():
    import dask.dataframe as dd
    import xarray as xr

    with a_cluster() as one, Client(one), a_cluster() as other:
        x = rows().persist()
        mixture = GaussianMixture(**SETTINGS).fit(x)
        grid = xr.DataArray(x, dims=("row", "axis"))
        named = GaussianMixture(**SETTINGS).fit(grid, feature_dims="axis")
        frame = dd.from_pandas(pd.DataFrame(ROWS), npartitions=4).persist()
        with Client(other):
            for call in (
                lambda: mixture.fit(x), lambda: mixture.predict(x), lambda: named.predict(grid),
                lambda: mixture.predict_proba(frame),
            ):  # fmt: skip
                with pytest.raises(SourceError, match="on another cluster"):
                    call()
        assert mixture.predict(x).compute().shape == (x.shape[0],)


def test_another_client_of_the_same_cluster():
    with a_cluster() as cluster, Client(cluster):
        x = rows().persist()
        with Client(cluster):
            found = GaussianMixture(**SETTINGS).fit(x)
    assert bits(found) == bits(GaussianMixture(**SETTINGS).fit(rows()))


def test_a_client_that_is_not_current_is_fetched_from():
    with a_cluster() as cluster, Client(cluster, set_as_default=False) as client:
        found = GaussianMixture(**SETTINGS).fit(client.persist(rows()))
    assert bits(found) == bits(GaussianMixture(**SETTINGS).fit(rows()))
