"""A cut link and a hung worker cost time, and no bit."""

import pytest

from tests.deploy.tls.cluster import disturb

STRUCK = "worker2"


@pytest.mark.parametrize("fault", ["cut", "hang"])
def test_a_worker_is_lost_in_the_middle_of_a_pass(
    cluster, network, stored, quiet, tmp_path, capsys, fault
):
    """Cut: the host is off the network. Hang: worker and nanny stop, their kernel answers on."""
    listening = []

    def strike():
        getattr(network, fault)(STRUCK)
        listening.extend(network.listening("driver"))

    try:
        found = disturb(cluster, stored, tmp_path / "bits.pkl", strike)
    finally:
        cluster.replace(STRUCK)
    assert found.bits == quiet
    done, total = found.batches
    assert 0 < done < total
    assert found.workers == 1  # the scheduler gave it up, and the fit went on
    assert "Remove worker" in cluster.log("scheduler")
    assert listening == []  # nobody connects to a driver
    with capsys.disabled():
        print(
            f"\n{fault} after {done} of {total} batches: the pass took {found.struck:.1f} s, the "
            f"one before {found.before:.1f} s, later ones on one worker {found.after:.1f} s"
        )
