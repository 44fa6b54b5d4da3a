"""The fault bench's tasks, faults and cells: real ones, built and a few of them trained."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
import torch

from benchmarks.faults import store, study
from benchmarks.faults.__main__ import main
from benchmarks.faults.cell import SEEDS, TWINS, Cell, cells, prepare, subset
from benchmarks.faults.fault import Draw, all_faults, fault
from benchmarks.faults.halves import HALVES, half_of, names, task_classes
from benchmarks.faults.peers.evidence import PeerEvidence
from benchmarks.faults.peers.tools import TOOLS
from benchmarks.faults.runner import CellsFailed, make_row, make_rows, rows_file, train_cells
from benchmarks.faults.store import Store, training_key
from recipes.rules.registry import all_rules
from recipes.run import MemberSpec, RunSpec

FAULTS = all_faults()
ADDED_LATER = frozenset(
    {
        *("penalty_in_loss", "saturated_activation", "vanishing_gradient", "exploding_gradient"),
        *("loss_rising", "schedule_misfit", "periodic_loss", "train_val_overlap"),
        *("class_imbalance", "missing_zero_grad", "train_eval_mismatch"),
        "batch_norm_small_batch",
    }
)
"""Codes of the method that may have no rule yet: the bench says what that costs."""

CALIBRATION = [task_classes()[name] for name in names("calibration")]
PAIRS = [
    pytest.param(task, name, id=f"{task.name}-{name}")
    for name, each in FAULTS.items()
    for task in [next(task for task in CALIBRATION if each.applies_to(task))]
]
"""Each fault in the first calibration task that it applies to."""


def parts(cell, split="train"):
    """What training sees of a cell: inputs, targets, and the outputs of a network and a loss."""
    prepared = prepare(cell)
    inputs, targets = prepared.task.data(split)
    torch.manual_seed(0)
    network = prepared.task.model({"width": prepared.setting["width"]})
    return prepared, inputs, targets, network


def test_halves_share_no_task_and_no_fault_is_left_without_one():
    assert not set(names("calibration")) & set(names("report"))
    assert min(len(names(half)) for half in HALVES) >= 4
    assert sum(len(names(half)) for half in HALVES) >= 8
    for each in FAULTS.values():
        for half in HALVES:
            assert any(each.applies_to(task_classes()[name]) for name in names(half)), each.name


def test_bench_is_as_large_as_it_must_be():
    for half in HALVES:
        chosen = list(cells(half))
        assert len(set(chosen)) == len(chosen)
        assert sum(not cell.fault for cell in chosen) >= 200
        assert {half_of(cell.task) for cell in chosen} == {half}
    assert 2 * TWINS * 6 >= 400
    assert SEEDS >= 5


def test_answers_are_codes_that_exist():
    known = {rule.code for rule in all_rules()} | ADDED_LATER
    for each in FAULTS.values():
        assert each.codes <= known, each.name
        assert each.also <= known, each.name
        assert not each.codes & each.also, each.name
        assert each.mutate.__doc__, each.name


def test_a_second_fault_of_a_name_is_refused():
    def rate_too_low(task, draw): ...

    with pytest.raises(ValueError, match="rate_too_low"):
        fault(16, "lr_too_low")(rate_too_low)


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_every_fault_changes_the_run_and_nothing_it_should_not(task, name):
    each = FAULTS[name]
    for severity in each.severities:
        healthy = prepare(Cell(task.name, "rate_too_low", "severe", 1))
        sick = prepare(Cell(task.name, name, severity, 1))
        other = {
            **sick.setting,
            "epochs": sick.epochs,
            "task": sick.identity != healthy.identity,
        }
        before = {
            **healthy.setting,
            "lr": task.healthy.lr,
            "epochs": healthy.epochs,
            "task": False,
        }
        assert other != before
        inputs, targets = sick.task.data("train")
        assert len(inputs) == len(targets) > 0
        assert sick.task.data("test") is None


@pytest.mark.parametrize("name", [n for n, each in FAULTS.items() if len(each.severities) == 2])
def test_mild_and_severe_differ(name):
    task = next(task for task in CALIBRATION if FAULTS[name].applies_to(task))
    mild, severe = (prepare(Cell(task.name, name, each, 1)) for each in ("mild", "severe"))
    if mild.setting != severe.setting:
        return
    for split in ("train", "val"):
        a, b = mild.task.data(split), severe.task.data(split)
        same = all(x.shape == y.shape and torch.equal(x, y) for x, y in zip(a, b, strict=True))
        if not same:
            return
    outputs = []
    for prepared in (mild, severe):
        torch.manual_seed(0)
        network = prepared.task.model({"width": 8}).train()
        generator = torch.Generator().manual_seed(3)
        batch = tuple(each[:64] for each in prepared.task.data("train"))
        augment = getattr(prepared.task, "augment", None)
        seen = 0.0
        changed = batch
        for _ in range(40 if augment else 0):
            changed = augment(batch, generator)
            seen += changed[0].sum().item()
        torch.manual_seed(0)
        output = network(changed[0])
        loss = getattr(prepared.task, "loss", prepared.task.own_loss)(output, changed[1])
        loss.backward()
        network.eval()
        outputs.append(
            (
                seen,
                loss.item(),
                network(batch[0]).sum().item(),
                [None if p.grad is None else p.grad.sum().item() for p in network.parameters()],
                [norm.momentum for norm in network.modules() if hasattr(norm, "momentum")],
            )
        )
    assert outputs[0] != outputs[1]


@pytest.mark.parametrize("task", CALIBRATION, ids=lambda task: task.name)
def test_twins_vary_within_the_good_range_and_their_data_differ(task):
    prepared = [prepare(Cell(task.name, "", "", number)) for number in range(12)]
    for each in prepared:
        low, high = task.healthy.rates[str(each.setting["optimizer"])]
        is_sgd = each.setting["optimizer"] == "sgd"
        scale = each.setting["batch_size"] / task.healthy.batch_size if is_sgd else 1.0
        assert low * 0.99 <= each.setting["lr"] / scale <= high * 1.01
        assert not each.task.is_altered
    for name in ("lr", "optimizer", "batch_size"):
        assert len({each.setting[name] for each in prepared}) > 1
    first = [each.task.data("train")[0] for each in prepared[:4]]
    for a, b in combinations(first, 2):
        assert a.shape != b.shape or not torch.equal(a, b)


def test_inputs_are_standardised_by_the_training_samples():
    inputs, _ = prepare(Cell("cancer", "", "", 0)).task.data("train")
    assert inputs.mean(0).abs().max() < 1e-4
    assert (inputs.std(0) - 1).abs().max() < 1e-3


def test_subset_is_even_and_the_same_every_time():
    chosen = list(cells("calibration"))
    some = subset(chosen, 100)
    assert some == subset(chosen, 100) != chosen[:100]
    assert some[:50] == subset(chosen, 50)
    assert len({cell.fault for cell in some}) > 20
    assert any(not cell.fault for cell in some)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="digits_mlp"):
        prepare(Cell("nothing", "", "", 0))
    with pytest.raises(ValueError, match="rate_too_low"):
        prepare(Cell("cancer", "nothing", "severe", 0))


def run_spec(trial=0, lr=0.1):
    member = MemberSpec(trial=trial, params={"lr": lr}, seed=1, data_seed=2)
    return RunSpec(members=(member,), iterations=3)


def test_a_training_is_known_again_by_what_it_follows_from():
    key = training_key("task", "code", run_spec(), [])
    assert training_key("task", "code", run_spec(trial=7), []) == key
    assert training_key("task", "code", run_spec(lr=0.2), []) != key
    assert training_key("other", "code", run_spec(), []) != key
    assert training_key("task", "changed", run_spec(), []) != key
    assert training_key("task", "code", run_spec(), [b"weights"]) != key


@pytest.fixture
def short(monkeypatch):
    """Cells of two epochs."""
    original = study.prepare
    monkeypatch.setattr(study, "prepare", lambda cell: replace(original(cell), epochs=2))


def test_rows_are_kept_and_nothing_is_trained_twice(tmp_path, short):
    cell = Cell("cancer", "summed_loss", "severe", 0)
    made = []
    (first,) = make_rows([cell], tmp_path, told=made.append)
    assert first.is_found
    assert made[0].num_trained > 0
    assert make_rows([cell], tmp_path, told=made.append) == [first]
    assert len(made) == 1
    again = make_row(cell, tmp_path)  # as when a rule has changed: judged anew
    assert again.num_trained == 0
    assert again.row == first
    # A line cut off by a crash is made again.
    path = rows_file(tmp_path)
    path.write_text(path.read_text()[:40])
    assert make_rows([cell], tmp_path) == [first]


def test_a_cell_that_raises_is_told_in_the_end_and_the_others_are_kept(tmp_path, short):
    good, bad = Cell("cancer", "summed_loss", "severe", 0), Cell("cancer", "unknown", "severe", 0)
    with pytest.raises(CellsFailed, match="cancer/unknown/severe/0") as raised:
        make_rows([bad, good], tmp_path)
    assert list(raised.value.tracebacks) == [bad]
    assert rows_file(tmp_path).read_text().count("summed_loss") == 1


def test_no_cell_is_begun_after_the_time(tmp_path):
    assert make_rows([Cell("cancer", "", "", 0)], tmp_path, seconds=0.0) == []


def test_watching_leaves_the_numbers_alone(tmp_path, short, monkeypatch):
    cell = Cell("cancer", "rate_too_low", "severe", 0)
    watched = study.diagnose(cell, Store(tmp_path / "a"))
    monkeypatch.setattr(study.TensorWatch, "attach", lambda self, network: None)
    alone = study.diagnose(cell, Store(tmp_path / "b"))
    assert watched.tensors
    assert not alone.tensors
    assert watched.run.curve("loss") == alone.run.curve("loss")
    looks = watched.tensors
    assert [each["iteration"] for each in looks] == [0, 1, 2, 3, 4]  # then every twentieth
    assert {"mean_gradient", "variance"} <= set(looks[0]["parameters"]["1.weight"])


def test_report_half_is_not_looked_at_without_a_reason(capsys):
    assert main(["run", "--half", "report"]) == 2
    assert "--reason" in capsys.readouterr().err


def test_cost_is_told_without_running_anything(capsys):
    assert main(["cost"]) == 0
    assert "CPU minutes" in capsys.readouterr().out


LOOK = {
    "iteration": 0,
    "layers": {"act": {"kind": "ReLU", "zero_units": 0.0, "not_positive": 0.4, "largest": 1.0}},
    "parameters": {
        name: {
            "mean_gradient": 1e-3,
            "gradient_norm": 1e-2,
            "zero_share": 0.1,
            "middle_range": 1e-2,
            "variance": 0.01,
            "largest": 0.3,
            "ndim": 2,
        }
        for name in ("first", "last")
    },
}


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    folder = tmp_path_factory.mktemp("described")
    cell = Cell("cancer", "summed_loss", "severe", 0)
    return study.diagnose(cell, Store(folder)).description


def said(described, tool, **changes):
    calm = described.inputs.model_copy(update={"low": -1.0, "high": 1.0})
    description = described.model_copy(update={"inputs": changes.pop("inputs", calm)})
    quiet = {
        "lr": 0.005,
        "optimizer": "sgd",
        "steps": [1.0 / (1 + step / 5) for step in range(60)],
        "train_loss": [0.5, 0.4, 0.3, 0.2],
        "val_loss": [0.5, 0.41, 0.31, 0.21],
        "train_accuracy": [0.6, 0.7, 0.8, 0.9],
        "val_accuracy": [0.6, 0.7, 0.8, 0.88],
        "update_ratios": {"first": [1e-3, 1e-3]},
        "looks": [LOOK],
    }
    return {each.name for each in TOOLS[tool](PeerEvidence(description, **{**quiet, **changes}))}


@pytest.mark.parametrize("tool", TOOLS)
def test_tools_say_nothing_of_a_calm_run(described, tool):
    assert said(described, tool) == set()


def test_sagemakers_defaults(described):
    tool = "SageMaker Debugger"
    assert said(described, tool, val_loss=[0.5, 0.41, 0.31, 0.23]) == {"Overfit"}
    assert said(described, tool, update_ratios={"a": [0.0, 0.0]}) == {"UnchangedTensor"}
    assert said(described, tool, steps=[1.0] * 60) == {"LossNotDecreasing"}
    assert said(described, tool, train_loss=[0.3] * 9, val_loss=[0.3] * 9) == {"Overtraining"}


def test_umlauts_heuristics(described):
    tool = "UMLAUT"
    assert said(described, tool, lr=0.1) == {"learning rate high"}
    assert said(described, tool, val_loss=[0.5, 0.41, 0.42, 0.4]) == {"overfitting"}
    raw = described.inputs.model_copy(update={"low": -2.6, "high": 2.6})
    assert said(described, tool, inputs=raw) == {"inputs outside -1 to 1"}


def test_autotrainer_judges_gradients_of_poor_runs_alone(described):
    tool = "AutoTrainer"
    steep = {
        **LOOK,
        "parameters": {"first": {**LOOK["parameters"]["first"], "gradient_norm": 9.0}},
    }
    steep["parameters"]["last"] = LOOK["parameters"]["last"]
    assert said(described, tool, looks=[steep] * 4) == set()
    poor = {"train_accuracy": [0.3, 0.32, 0.35, 0.4], "looks": [steep] * 4}
    assert said(described, tool, **poor) == {"exploding gradient"}
    assert said(described, tool, train_accuracy=[0.3, 0.3, 0.3, 0.3]) == {"slow convergence"}


def test_deepdiagnosis_symptoms(described):
    tool = "DeepDiagnosis"
    assert said(described, tool, update_ratios={"a": [0.5]}) == {"rate too high"}
    assert said(described, tool, train_loss=[0.5] * 6) == {"loss or accuracy unchanged"}
    assert said(described, tool, steps=[1.0, float("nan")]) == {"numerical error"}


def test_draw_picks_by_severity():
    assert Draw("mild", 0, {}).pick(mild=1, severe=2) == 1
    assert Draw("severe", 0, {}).pick(mild=1, severe=2) == 2


def test_a_digest_follows_what_runs_and_not_what_is_said_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROOT", tmp_path)
    file = tmp_path / "family.py"

    def digest(decorator, *body):
        file.write_text("\n    ".join([f"{decorator}\ndef hot(task):", *body]) + "\n")
        return store.digest_of([file], read=store._what_runs)

    plain = digest("@fault(1, 'diverged')", "task.lr = 10.0")

    assert plain == digest("@fault(2)", "'Words.'", "task.lr = 10.0  # why")
    assert plain != digest("@fault(2)", "task.lr = 11.0")
    assert plain != digest("@cache", "task.lr = 10.0")


def test_trainings_are_kept_for_a_later_look(tmp_path):
    cell = Cell(names("calibration")[0], "", "", 0)
    trained = []

    train_cells([cell], tmp_path, told=lambda done, num_trained: trained.append(num_trained))

    assert trained[0] > 1
    assert not list(tmp_path.glob("rows-*"))
    assert make_row(cell, tmp_path).num_trained == 0
