"""Whatever a file holds: findings, or a refusal in words; never another error."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.training_logs.diagnosis import diagnose
from recipes.training_logs.errors import LogError
from recipes.training_logs.options import LogOptions
from recipes.training_logs.reading import read_log
from recipes.training_logs.sample_count import half_step, infer_sample_count

NAMES = st.sampled_from(
    [
        *("epoch", "step", "loss", "train_loss", "val_loss", "val_acc", "train_acc", "accuracy"),
        *("lr", "run", "val_error", "test_loss", "val_f1", "time", "split", "train_loss_step", ""),
    ]
)
CELLS = st.one_of(
    st.floats().map(str),
    st.floats(0, 1).map(str),
    st.integers(-3, 200).map(str),
    st.sampled_from(
        ["", "nan", "-inf", "12 %", "0,5", "train", "val", "x", "tensor(1.5)", "1e400"]
    ),
)
LINES = st.one_of(
    st.text(max_size=60),
    st.builds(
        "Epoch {}/{} - loss: {} - val_loss: {} acc: {}%".format,
        *(st.integers(-1, 40), st.integers(-1, 40)),
        *(st.floats(), st.floats(), st.floats(0, 150)),
    ),
    st.builds("| {} | {} | {} |".format, NAMES, CELLS, CELLS),
    st.just("|---|---|---|"),
)


def survives(data, **options):
    try:
        reading = read_log(data, LogOptions(**options), source="log")
    except LogError:
        return  # a refusal in words is an answer
    assert reading.runs or reading.refused
    for _, why in reading.refused:
        assert len(why) > 20
    for run in reading.runs:
        diagnosis = diagnose(run)
        assert diagnosis.findings
        assert diagnosis.model_dump_json()
        for finding in diagnosis.findings:
            assert "nan" not in finding.sentence.replace("NaN or inf", "").split()
            if finding.code == "healthy":
                assert run.inferred.train_mode == "eval"


@settings(deadline=None, max_examples=150)
@given(data=st.binary(max_size=200))
def test_any_bytes(data):
    survives(data)


@settings(deadline=None, max_examples=150)
@given(
    header=st.lists(NAMES, min_size=1, max_size=6),
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=6), max_size=30),
    separator=st.sampled_from([",", ";", "\t"]),
    mode=st.sampled_from(["train", "eval"]),
    n=st.none() | st.integers(1, 100_000),
)
def test_any_table(header, rows, separator, mode, n):
    lines = [separator.join(each) for each in (header, *rows)]
    survives("\n".join(lines).encode(), train_mode=mode, num_val=n, num_train=n)


@settings(deadline=None, max_examples=100)
@given(lines=st.lists(LINES, max_size=40))
def test_any_lines(lines):
    survives("\n".join(lines).encode("utf-8", errors="surrogatepass"))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=40,
)


@settings(deadline=None, max_examples=150)
@given(document=JSON, curves=st.dictionaries(NAMES, st.lists(st.floats(), max_size=30)))
def test_any_json(document, curves):
    survives(json.dumps(document).encode())
    survives(json.dumps(curves).encode())


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(10, 20_000),
    seed=st.integers(0, 1_000),
    percent=st.booleans(),
    decimals=st.integers(2, 8),
)
def test_an_inferred_count_divides_the_true_one(n, seed, percent, decimals):
    right = np.random.default_rng(seed).integers(1, n, size=30)
    scale = 100 if percent else 1
    shown = [round(scale * int(each) / n, decimals) for each in right]
    found = infer_sample_count(
        [each / scale for each in shown], half_width=half_step(shown) / scale
    )
    assert found is None or n % found == 0


def test_a_count_is_inferred_from_random_shares_as_rarely_as_stated():
    wrong = 0
    for seed in range(1_000):
        shares = np.round(np.random.default_rng(seed).random(20), 4).tolist()
        wrong += infer_sample_count(shares, half_width=half_step(shares)) is not None
    assert wrong <= 5, wrong  # 1e-3 of a thousand are expected, more than five once in 1,700
