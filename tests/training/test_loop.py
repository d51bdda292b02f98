import math
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from hf_lengthgen.data.publish import export
from hf_lengthgen.evaluation import lengths
from hf_lengthgen.training import loop
from hf_lengthgen.training.build import assemble_model, mixed_batches
from hf_lengthgen.training.loop import TrainingDiverged, check_processes, train
from hf_lengthgen.training.mixture import build_parts
from hf_lengthgen.training.optimizer import build_optimizer
from hf_lengthgen.training.signals import TrainingInterrupted

from .tiny import TINY, assert_identical, tiny, weights

ROOT = Path(__file__).parents[2]


def run(config, **options):
    return train(config, progress=False, **options)


@pytest.fixture(scope="module")
def reference():
    return weights(run(tiny()).model)


def test_it_learns():
    config = tiny(steps=150, hidden_size=32, batch_size=32, learning_rate=1e-2, warmup_steps=10)
    records = run(config).history.records
    assert records[0]["loss"] > 1.5
    assert np.mean([record["loss"] for record in records[-3:]]) < 0.5 * records[0]["loss"]


def test_every_step_is_what_the_settings_say():
    """Against a loop in plain torch: both schedules written out, the norm clipped, the penalty, the gates' noise."""
    own = {"learning_rate": 3e-3, "final_learning_rate_ratio": 0.1, "penalty": 0.05, "penalty_warmup": 0.5}
    config = tiny(steps=6, warmup_steps=2, clip=0.5, settle=1, **own)
    parts, tokenizer = build_parts(config)
    model, batches = assemble_model(config, parts, tokenizer).train(), mixed_batches(config, parts)
    optimizer = build_optimizer(model, config)
    cosine = [0.1 + 0.9 * (1 + math.cos(math.pi * k / 3)) / 2 for k in range(4)]
    norms = []
    for step, (factor, weight) in enumerate(
        zip([0.5, 1.0, *cosine], [0, 0.05 / 3, 0.1 / 3, 0.05, 0.05, 0.05], strict=True)
    ):
        for group in optimizer.param_groups:
            gates = group["params"][0] is model.gate_parameters()[0]
            group["lr"] = factor * (config.gate_learning_rate if gates else 3e-3)
        model.set_gate_noise(config.seed, step)
        optimizer.zero_grad()
        (model(**batches.batch(step)).loss + weight * model.penalty()).backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)))
        optimizer.step()
    assert min(norms) > 0.5
    trained, expected = weights(run(config).model), weights(model)
    assert all(torch.allclose(trained[name], expected[name], atol=1e-6) for name in expected)


def test_same_config_same_weights_whatever_the_caller_did(reference):
    torch.manual_seed(99)
    assert_identical(weights(run(tiny()).model), reference)
    assert not torch.equal(run(tiny(seed=1)).model.lm_head.weight, reference["lm_head.weight"])


def test_the_callers_generators_are_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    run(tiny())
    assert torch.equal(torch.rand(4), expected)


def test_watching_changes_nothing(reference):
    config = tiny(validate_every=3, validate_lengths=[2, 5])
    trained = run(config)
    assert_identical(weights(trained.model), reference)
    validated = {record["step"]: record for record in trained.history.records if "solved" in record}
    assert set(validated) == {3, 6, 8}
    assert "2" in validated[8]["exact_match"] and set(validated[8]["exact_match"]) <= {"2", "5"}


def test_validations_meet_the_examples_of_the_config(monkeypatch):
    asked = []
    plain = lengths.evaluate_lengths
    monkeypatch.setattr(lengths, "evaluate_lengths", lambda *args, **more: asked.append(more) or plain(*args, **more))
    run(tiny(validate_every=8, validate_lengths=[2], eval_seed=7, eval_hard=0.5))
    assert [(one["seed"], one["hard"], one["mode"], one["examples"]) for one in asked] == [(7, 0.5, "teacher", 16)]


def test_history_and_mode():
    trained = run(tiny(steps=25))
    model, tokenizer, history = trained
    assert not model.training
    assert tokenizer.bos_token_id == 1
    assert [record["step"] for record in history.records] == [10, 20, 25]
    assert history.final_loss == history.records[-1]["loss"]
    assert history.seconds > 0
    assert history.records[-1]["open_gates"] == model.open_gates()
    assert history.records[0]["penalty_weight"] == pytest.approx(0.003 * 9 / 12.5)


@pytest.fixture
def threads_come_back():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_the_threads_are_those_of_the_config(threads_come_back):
    def leave():
        raise KeyboardInterrupt  # a step in several threads takes long where the cores are busy

    for threads, expected in ((2, 2), (None, 2), (1, 1)):
        with pytest.raises(KeyboardInterrupt):
            run(tiny(threads=threads), on_start=leave)
        assert torch.get_num_threads() == expected


def test_the_peak_memory_is_the_largest_of_all_parts(tmp_path, monkeypatch):
    def leave(done, model):
        if done == 5:
            raise KeyboardInterrupt

    measured = iter([7.0, 9.0, 8.0, 3.0, 2.0])  # after the steps 2, 4 | 6, 8; of a run that saves at its end alone
    monkeypatch.setattr(loop, "peak_memory_mb", lambda device: next(measured))
    with pytest.raises(KeyboardInterrupt):
        run(tiny(output_dir=tmp_path), on_step=leave)
    assert run(tiny(output_dir=tmp_path)).history.peak_memory_mb == 9.0
    assert run(tiny(steps=1, save_every=0)).history.peak_memory_mb == 2.0
    monkeypatch.setattr(loop, "peak_memory_mb", lambda device: None)
    assert run(tiny(steps=1)).history.peak_memory_mb is None


def test_without_output_dir_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(tiny())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"position_embedding": "rope", "scale_hint": "none"},
        {"position_embedding": "t5", "scale_hint": "input"},
        {"position_embedding": "lbpe", "scale_hint": "none"},
        {"task": "addition", "task_options": {"widths": "unequal"}, "groups": 2},
    ],
)
def test_stopped_anywhere_and_resumed_is_the_same_run(tmp_path, settings):
    class Killed(Exception):
        pass

    def kill(done, model):
        if done == 5:
            time.sleep(0.5)
        if done in (1, 3, 6):
            raise Killed

    expected = run(tiny(**settings))
    config = tiny(output_dir=tmp_path, save_every=1, **settings)
    for _ in range(3):
        with pytest.raises(Killed):
            run(config, on_step=kill)
    resumed = run(config)
    assert_identical(weights(resumed.model), weights(expected.model))
    assert [r["loss"] for r in resumed.history.records] == [r["loss"] for r in expected.history.records]
    assert resumed.history.seconds > 0.5, "of all parts"


def test_kill_minus_nine_and_resume(tmp_path, reference):
    """A real process, really killed in the middle of a step."""
    script = textwrap.dedent(f"""
        from hf_lengthgen.training.arguments import TrainingConfig
        from hf_lengthgen.training.loop import train
        config = TrainingConfig.from_dict({TINY | {"output_dir": str(tmp_path)}!r})
        train(config, progress=False, on_step=lambda done, model: print(done, flush=True))
    """)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"RANK": "0"},
    ) as process:
        for line in process.stdout:
            if line.strip() == "5":
                process.kill()
                break
    assert process.returncode == -signal.SIGKILL
    steps = []
    resumed = run(tiny(output_dir=tmp_path), on_step=lambda done, model: steps.append(done))
    assert steps[0] > 2
    assert steps[-1] == 8
    assert_identical(weights(resumed.model), reference)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_twenty_times_at_random_moments(tmp_path):
    """Inside a step, between two, or while a checkpoint is written: whatever the moment, it is the same run."""
    settings = TINY | {"steps": 2000, "save_every": 3, "validate_every": 50, "validate_lengths": [2, 4]}
    expected = weights(run(tiny(**settings)).model)
    script = textwrap.dedent(f"""
        from hf_lengthgen.training.arguments import TrainingConfig
        from hf_lengthgen.training.loop import train
        config = TrainingConfig.from_dict({settings | {"output_dir": str(tmp_path)}!r})
        train(config, progress=False, on_step=lambda done, model: print(done, flush=True))
    """)
    moments, reached = np.random.default_rng(0), []
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | {"RANK": "0"}
        ) as process:
            process.stdout.readline()
            time.sleep(moments.uniform(0, 0.6))
            process.kill()
            reached += [int(line) for line in process.stdout.read().split()]
        assert process.returncode == -signal.SIGKILL
    assert max(reached) > 100
    assert_identical(weights(run(tiny(**settings | {"output_dir": tmp_path})).model), expected)


def test_sigterm_saves_leaves_and_resumes(tmp_path, reference):
    def terminate(done, model):
        if done == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(
        TrainingInterrupted, match="SIGTERM received: stopped after step 4 of 8, saved in .*step-00000004"
    ):
        run(tiny(output_dir=tmp_path, save_every=100), on_step=terminate)
    assert signal.getsignal(signal.SIGTERM) is handler
    assert_identical(weights(run(tiny(output_dir=tmp_path, save_every=100)).model), reference)


def test_sigterm_without_output_dir():
    def terminate(done, model):
        if done == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingInterrupted, match="stopped after step 2 of 8; nothing is saved"):
        run(tiny(), on_step=terminate)


@pytest.mark.parametrize(("here", "there"), [(False, False), (False, True), (True, False), (True, True)])
def test_a_stop_that_one_process_wants_is_agreed_by_both(here, there):
    both = SimpleNamespace(num_processes=2, device=torch.device("cpu"), reduce=lambda tensor: tensor + int(there))
    assert loop._Loop.agree(SimpleNamespace(accelerator=both), here) is (here or there)


def test_divergence_is_told_and_the_last_checkpoint_is_good(tmp_path):
    def spoil(done, model):
        if done == 5:
            with torch.no_grad():
                model.lm_head.weight[0, 0] = float("nan")

    config = tiny(output_dir=tmp_path)
    with pytest.raises(TrainingDiverged, match=r"diverged at step 6: loss nan.*step-00000004.*learning_rate"):
        run(config, on_step=spoil)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "step-00000002",
        "step-00000004",
    ]
    assert all(torch.isfinite(p).all() for p in run(config).model.parameters())


def test_divergence_without_checkpoint():
    with pytest.raises(TrainingDiverged, match="no checkpoint to go back to"):
        run(tiny(learning_rate=1e30, warmup_steps=0))


def test_process_numbers_are_checked(monkeypatch):
    check_processes(tiny(num_processes=1), 1)
    with pytest.raises(ValueError, match="num_processes is 2, but 1 run"):
        check_processes(tiny(num_processes=2), 1)
    with pytest.raises(ValueError, match="batch_size / groups = 8 must be a multiple"):
        monkeypatch.setenv("WORLD_SIZE", "3")
        check_processes(tiny(), 3)
    with pytest.raises(ValueError, match="3 processes were launched but they are not connected"):
        check_processes(tiny(), 1)


@pytest.mark.parametrize("engine", ["ddp", pytest.param("fsdp2", marks=pytest.mark.slow)])
def test_two_processes_are_one(tmp_path, engine):
    """Through Accelerate, with groups of different scale, stopped and resumed, gates settled on the way: the same run
    to float tolerance."""
    settings = TINY | {"task": "addition", "groups": 2, "penalty_warmup": 0.1, "num_processes": 2, "settle": 0.75}
    settings |= {"gradient_accumulation_steps": 2, "validate_every": 4, "validate_lengths": [2]}
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import os, torch
        from torch.distributed.tensor import DTensor
        from hf_lengthgen.training.arguments import TrainingConfig
        from hf_lengthgen.training.loop import make_accelerator, train

        def done(name, config, **options):
            accelerator = make_accelerator(config)
            model, _, history = train(config, accelerator=accelerator, progress=False, **options)
            sharded = any(isinstance(p, DTensor) for p in accelerator._models[0].parameters())
            found = [dict(model.named_parameters()), history.records, sharded]
            torch.save(found, r"{tmp_path}/" + name + os.environ["RANK"])

        settings = {settings!r}
        done("whole", TrainingConfig.from_dict(settings | dict(output_dir=r"{tmp_path}/whole")))
        done("offsets", TrainingConfig.from_dict(settings | {OFFSETS[0]!r}))
        stopped = TrainingConfig.from_dict(settings | dict(output_dir=r"{tmp_path}/out"))
        def stop(step, model):
            if step == 5:
                raise InterruptedError
        try:
            done("stopped", stopped, on_step=stop)
        except InterruptedError:
            done("resumed", stopped)
    """)
    )
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file"]
    command += [str(ROOT / f"recipes/accelerate_configs/{engine}.yaml"), "--main_process_port", "0", str(script)]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=240)
    one, _, history = run(tiny(**settings | {"num_processes": 1}))
    for rank in "01":
        parameters, records, sharded = torch.load(tmp_path / f"whole{rank}", weights_only=False)
        assert sharded == (engine == "fsdp2")
        assert [r["loss"] for r in records] == pytest.approx([r["loss"] for r in history.records], rel=1e-5)
        for key in ("open_gates", "exact_match"):
            assert [r[key] for r in records] == [r[key] for r in history.records]
        for name, parameter in one.named_parameters():
            torch.testing.assert_close(parameters[name], parameter, rtol=1e-4, atol=1e-5)
        again = torch.load(tmp_path / f"resumed{rank}", weights_only=False)[0]
        assert_identical({k: v.detach() for k, v in again.items()}, {k: v.detach() for k, v in parameters.items()})
    one, _, _ = run(tiny(**settings | OFFSETS[0] | {"num_processes": 1}))
    others = torch.load(tmp_path / "offsets1", weights_only=False)[0]
    for name, parameter in one.named_parameters():
        torch.testing.assert_close(others[name], parameter, rtol=1e-4, atol=1e-5)
    # A checkpoint, written by one of the two, is the whole state: one process goes on from it.
    shutil.rmtree(tmp_path / "out" / "checkpoints" / "step-00000008")
    assert (tmp_path / "out" / "checkpoints" / "step-00000006").is_dir()
    resumed = run(tiny(**settings | {"num_processes": 1, "output_dir": str(tmp_path / "out")}))
    for name, parameter in resumed.model.named_parameters():
        torch.testing.assert_close(parameters[name], parameter, rtol=1e-4, atol=1e-5)
    for name in ("model", "optimizer"):
        held, other = (
            load_file(tmp_path / run / f"checkpoints/step-00000008/{name}.safetensors") for run in ("out", "whole")
        )
        assert held.keys() == other.keys()
        for key, tensor in held.items():
            torch.testing.assert_close(other[key], tensor, rtol=1e-4, atol=1e-5)


class Passes:
    """Counts how often the attention of the first layer is computed in each step but the first."""

    def __init__(self):
        self.count, self.per_step = 0, set()

    def __call__(self, step, model):
        if step == 1:
            model.model.layers[0].self_attn.register_forward_pre_hook(self.add)
        else:
            self.per_step.add(self.count)
        self.count = 0

    def add(self, *call):
        self.count += 1


OFFSETS = (  # drawn for every example
    {"position_embedding": "learned", "position_options": {"offset": 50}, "scale_hint": "none"},
    {"position_embedding": "abacus", "position_options": {"digit_tokens": [4, 5, 6, 7]}, "scale_hint": "none"},
)


@pytest.mark.parametrize("settings", [{}, {"position_embedding": "rope", "scale_hint": "none", "groups": 4}, *OFFSETS])
def test_the_batch_in_parts_is_the_whole_batch(settings):
    passes = Passes()
    whole = run(tiny(**settings)).model.state_dict()
    parts = run(tiny(gradient_accumulation_steps=4, **settings), on_step=passes).model.state_dict()
    assert passes.per_step == {4}
    assert all(torch.allclose(whole[name], parts[name], atol=2e-5) for name in whole)


def test_a_trained_model_draws_by_the_global_generator_again():
    model = run(tiny(steps=2, **OFFSETS[0])).model.train()
    ids = torch.full((4, 8), model.config.bos_token_id)
    with torch.no_grad():
        first, second = (model(ids).logits for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("lengths", [[4, 2], [2, 2, 4]])
def test_scales_of_the_validation_may_come_in_any_order_and_twice(lengths):
    record = run(tiny(validate_every=8, validate_lengths=lengths)).history.records[-1]
    assert list(record["exact_match"])[0] == "2" and len(record["exact_match"]) <= 2


def test_a_run_that_starts_over_says_how_it_goes_on(tmp_path):
    with pytest.raises(TrainingInterrupted, match="without resume=false the same command goes on from there"):
        run(tiny(output_dir=tmp_path, resume=False), on_step=lambda step, model: os.kill(os.getpid(), signal.SIGTERM))


def test_parts_must_divide_the_batch():
    with pytest.raises(ValueError, match="gradient_accumulation_steps must divide the 8 examples of a process, got 3"):
        run(tiny(gradient_accumulation_steps=3))


def test_recomputed_activations_change_nothing(reference):
    passes = Passes()
    again = weights(run(tiny(gradient_checkpointing=True), on_step=passes).model)
    assert passes.per_step == {2}  # once more in the backward pass
    assert all(torch.allclose(again[name], reference[name], atol=1e-6) for name in reference)


@pytest.fixture
def one_precision():
    """One precision a process, says Accelerate."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def test_bfloat16_learns_with_weights_in_float32(one_precision):
    config = tiny(steps=150, hidden_size=32, batch_size=32, learning_rate=1e-2, warmup_steps=10, mixed_precision="bf16")
    trained = run(config)
    close = run(tiny(mixed_precision="bf16")).history.final_loss
    AcceleratorState._reset_state(reset_partial_state=True)
    assert {parameter.dtype for parameter in trained.model.parameters()} == {torch.float32}
    records = trained.history.records
    assert np.mean([record["loss"] for record in records[-3:]]) < 0.5 * records[0]["loss"]
    exact = run(tiny()).history.final_loss
    assert close != exact
    assert close == pytest.approx(exact, rel=0.05)


def test_the_precision_in_force_is_that_of_the_run(one_precision, tmp_path, monkeypatch):
    """`accelerate launch` may choose it: it is recorded, and a run does not go on in another one."""
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")

    def leave(done, model):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny(output_dir=tmp_path), progress=False, on_step=leave)
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION")
    with pytest.raises(
        ValueError, match="has an Accelerator with mixed_precision 'bf16'.* train with 'no' in a new one"
    ):
        train(tiny(output_dir=tmp_path), progress=False)
    AcceleratorState._reset_state(reset_partial_state=True)
    with pytest.raises(ValueError, match="mixed_precision = 'bf16' there and None now"):
        train(tiny(output_dir=tmp_path), progress=False)


def test_an_accelerator_that_is_given_has_what_the_config_asks_for(one_precision):
    accelerator = Accelerator()
    with pytest.raises(ValueError, match="mixed_precision is 'bf16', but the Accelerator that was given has 'no'"):
        train(tiny(mixed_precision="bf16"), accelerator=accelerator)
    with pytest.raises(ValueError, match="tracker is 'tensorboard', but the Accelerator that was given has none"):
        train(tiny(tracker="tensorboard"), accelerator=accelerator)


def test_float16_needs_a_device_that_has_it(one_precision):
    with pytest.raises(ValueError, match="mixed_precision fp16 is not for the device 'cpu'.*use bf16 or no"):
        run(tiny(mixed_precision="fp16"))


def test_float16_scales_gradients_skips_overflows_and_resumes(tmp_path, one_precision):
    """Accelerate leaves float16 to GPUs; torch's own scaler and autocast run on CPUs as well."""

    def half():
        accelerator = Accelerator(mixed_precision="fp16", cpu=True)
        accelerator.native_amp = True
        # So large a scale that the first steps overflow, and grows again after three good ones.
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, growth_interval=3)
        return accelerator

    scales, logits = [], set()

    def watch(done, model):
        scales.append(accelerator.scaler.get_scale())
        model.lm_head.register_forward_hook(lambda module, inputs, output: logits.add(output.dtype))

    settings = {"steps": 60, "hidden_size": 32, "batch_size": 32, "learning_rate": 1e-2, "warmup_steps": 10}
    accelerator = half()
    trained = run(
        tiny(**settings, output_dir=tmp_path, save_every=30, keep_checkpoints=9), accelerator=accelerator, on_step=watch
    )
    assert torch.float16 in logits
    assert {parameter.dtype for parameter in trained.model.parameters()} == {torch.float32}
    assert scales[0] == 2.0**39  # an overflow: the scale is halved, the step is not made
    assert any(later > earlier for earlier, later in zip(scales, scales[1:], strict=False))
    records = trained.history.records
    assert records[-1]["loss"] < 0.9 * records[0]["loss"]
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000060")
    accelerator, first, scales = half(), scales, []
    again = run(
        tiny(**settings, output_dir=tmp_path, save_every=30, keep_checkpoints=9), accelerator=accelerator, on_step=watch
    )
    assert scales == first[30:]
    assert_identical(weights(again.model), weights(trained.model))


def test_early_stopping_and_no_more_steps_when_resumed(tmp_path, monkeypatch):
    given = iter([0.5, 1.0, 0.5, 1.0, 1.0])
    monkeypatch.setattr(lengths, "evaluate_lengths", lambda *a, **o: [SimpleNamespace(n=(2,), exact_match=next(given))])
    config = tiny(
        steps=50, settle=0, early_stopping=2, validate_every=3, validate_lengths=[2], save_every=0, output_dir=tmp_path
    )
    first = run(config)
    assert first.history.steps == 15
    again = run(config)
    assert again.history.steps == 15
    assert_identical(weights(again.model), weights(first.model))


def test_a_data_set_instead_of_fresh_rows(tmp_path):
    from hf_lengthgen.data.publish import export

    export(tmp_path / "rows", "copy", rows={"train": 64}, n_min=3, n_max=4)
    stored = run(tiny(dataset=str(tmp_path / "rows"), steps=30))
    assert stored.history.final_loss < stored.history.records[0]["loss"]
    assert not torch.equal(stored.model.lm_head.weight, run(tiny(steps=30)).model.lm_head.weight)


def test_gates_settle_at_their_step_and_stay(tmp_path):
    """Resuming on either side of that step, or exactly there, included."""
    seen = {}

    def watch(step, model):
        seen[step] = torch.cat([gate.detach().flatten() for gate in model.gate_parameters()]).abs().min().item()

    config = tiny(settle=0.5, output_dir=tmp_path, keep_checkpoints=9, save_every=1)
    trained = train(config, progress=False, on_step=watch)
    assert max(seen[step] for step in range(1, 5)) < 5 < 19 < min(seen[step] for step in range(5, 9))
    for step in (3, 4, 5):
        for later in range(step + 1, 9):
            files = tmp_path / "checkpoints" / f"step-{later:08d}"
            if files.exists():
                shutil.rmtree(files)
        assert_identical(weights(train(config, progress=False).model), weights(trained.model))


def test_no_early_stopping_before_the_gates_have_settled(monkeypatch):
    monkeypatch.setattr(lengths, "evaluate_lengths", lambda *a, **o: [SimpleNamespace(n=(2,), exact_match=1.0)])
    settings = {"steps": 20, "settle": 0.5, "early_stopping": 2, "validate_every": 2, "validate_lengths": [2]}
    assert run(tiny(**settings)).history.steps == 14
    assert run(tiny(**settings, position_embedding="rope", scale_hint="none")).history.steps == 4


def test_a_data_set_that_a_table_is_too_short_for_is_refused_before_training(tmp_path):
    export(tmp_path / "rows", "copy", rows={"train": 300}, n_max=4, priming_share=0.02, priming_n=40)
    config = tiny(
        dataset=str(tmp_path / "rows"), position_embedding="learned", scale_hint="none", max_position_embeddings=32,
        output_dir=tmp_path / "out",
    )  # fmt: skip
    with pytest.raises(ValueError, match="^dataset: .*rows': .*32"):
        train(config, progress=False)
    assert not (tmp_path / "out").exists()
