"""Peers: the trials of a study with other settings, and their numbers as arrays."""

import numpy as np

from recipes.evidence.peers import Peers, Table
from recipes.evidence.trial_series import trial_series
from tests.recipes_tests.curve_builders import evidence, falling, healthy_trial

LONG = trial_series(healthy_trial(0, params={"lr": 0.1}))
SHORT = trial_series(healthy_trial(1, params={"lr": 0.2}, epochs=5))
AGAIN = trial_series(healthy_trial(2, params={"lr": 0.1}))
TABLE = Table([LONG, SHORT, AGAIN])


def test_others_have_other_settings():
    assert [each.number for each in TABLE.others(LONG)] == [1]
    assert [each.number for each in TABLE.others(SHORT)] == [0, 2]
    stranger = trial_series(healthy_trial(7, params={"lr": 0.2}))
    assert [each.number for each in TABLE.others(stranger)] == [0, 2]
    assert len(TABLE.others(trial_series(healthy_trial(8, params={"lr": 0.3})))) == 3


def test_a_metric_after_epochs_that_not_all_have():
    peers = Peers(TABLE)

    found = peers.after("loss", "train", 8)
    assert found[0] == LONG.series("loss", "train").trained[7]
    assert np.isnan(found[1])
    assert np.isnan(peers.after("loss", "train", 0)).all()
    assert np.isnan(peers.after("unknown", "val", 3)).all()
    np.testing.assert_array_equal(peers.rates, [0.1, 0.2, 0.1])
    np.testing.assert_array_equal(TABLE.others(SHORT).after("loss", "train", 8), found[[0, 2]])


def test_places_and_slices():
    peers = Peers(TABLE)

    assert peers[1] is SHORT
    assert list(peers[1:]) == [SHORT, AGAIN]


def test_the_best_peer_is_the_first_of_equals():
    lower = {"train_loss": falling(2.3, 0.01, 20)}
    peers = [healthy_trial(5, **lower), healthy_trial(3, **lower), healthy_trial(4)]

    peer, loss = evidence(healthy_trial(), peers=peers).best_peer
    assert peer.number == 3
    assert loss == peer.series("loss", "train").trained[-1]
    assert evidence(healthy_trial(), peers=[healthy_trial(9, epochs=5)]).best_peer is None
    assert evidence(healthy_trial()).best_peer is None
