"""Weights in files of PyTorch's: read without PyTorch, and never by executing what they contain."""

from __future__ import annotations

import io
import pickle
from collections import Counter, OrderedDict

import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.errors import DovetailError, SavedFileError
from dovetail.saving import RefusedGlobalError, load

LEGACY = [pytest.param(False, id="zip"), pytest.param(True, id="legacy")]


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="the oracle PyTorch is not installed")


def written(torch, obj, legacy=False):
    file = io.BytesIO()
    torch.save(obj, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def equal(ours, theirs):
    """One of ours and one of PyTorch's, the same in form, type and bits."""
    name = type(theirs).__module__.split(".")[0]
    if hasattr(theirs, "requires_grad"):
        bits = theirs.detach().contiguous().reshape(-1)
        raw = bits.numpy() if str(bits.dtype) != "torch.bfloat16" else bits.view(_int16(theirs)).numpy()
        return (
            isinstance(ours, dovetail.Tensor)
            and str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
            and tuple(ours.shape) == tuple(theirs.shape)
            and ours.requires_grad == theirs.requires_grad
            and ours.detach().numpy().tobytes() == raw.tobytes()
        )
    if isinstance(theirs, dict):
        return type(ours) is type(theirs) and list(ours) == list(theirs) and all(
            equal(ours[key], theirs[key]) for key in theirs
        )  # fmt: skip
    if isinstance(theirs, list | tuple) and name != "torch":
        return type(ours) is type(theirs) and len(ours) == len(theirs) and all(map(equal, ours, theirs))
    if isinstance(theirs, np.ndarray):
        native = theirs.dtype.newbyteorder("=")  # which is what NumPy makes of it when it reads a pickle
        return type(ours) is np.ndarray and ours.dtype == native and np.array_equal(ours, theirs)
    return type(ours) is type(theirs) and ours == theirs


def _int16(tensor):
    import torch

    return torch.int16


OPTIMIZERS = {
    "SGD": {"momentum": 0.9}, "Adam": {"amsgrad": True}, "AdamW": {}, "NAdam": {}, "RAdam": {}, "Adamax": {},
    "Adagrad": {}, "Adadelta": {}, "RMSprop": {"momentum": 0.5, "centered": True}, "Rprop": {}, "ASGD": {},
    "Adafactor": {}, "Muon": {}, "LBFGS": {"max_iter": 2},
}  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("legacy", LEGACY)
class TestWeights:
    @pytest.mark.parametrize(
        "name",
        ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"],
    )
    def test_tensors_of_every_type_and_shape(self, torch, legacy, name):
        dtype = getattr(torch, name)
        state = {
            str(shape): torch.arange(int(np.prod(shape))).reshape(shape).to(dtype)
            for shape in [(), (0,), (3,), (2, 3), (2, 0, 3), (1, 1, 2)]
        }
        assert equal(load(io.BytesIO(written(torch, state, legacy))), state)

    def test_other_layouts(self, torch, legacy):
        base = torch.arange(24.0).reshape(2, 3, 4)
        state = [base.transpose(0, 2), base[:, 1], base[..., ::2], torch.ones(1).expand(5), base[1:, 1:, 1:],
                 torch.ones(3, 1).expand(3, 4)]  # fmt: skip
        state.append(torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last))
        assert equal(load(io.BytesIO(written(torch, state, legacy))), state)

    def test_a_model_and_its_optimizer(self, torch, legacy):
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1, amsgrad=True)
        scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 5])
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(8, 3)).pow(2).sum().backward()
            optimizer.step()
            scheduler.step()
        state = {
            "epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(), "loss": 0.25, "best": float("inf"), "name": "ünï",
            "raw": b"\0\xff",
        }  # fmt: skip
        found = load(io.BytesIO(written(torch, state, legacy)))
        assert equal(found, state)
        assert found["model"]._metadata == state["model"]._metadata
        assert type(found["scheduler"]["milestones"]) is Counter
        ours = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        ours.load_state_dict(found["model"])
        x = torch.randn(5, 3)
        model.eval()
        ours.eval()
        expected = model(x).detach().numpy()
        assert np.allclose(ours(dovetail.from_numpy(x.numpy())).detach().numpy(), expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_the_state_of_every_optimizer(self, torch, legacy, name):
        torch.manual_seed(0)
        w = torch.nn.Parameter(torch.randn(3, 2))
        optimizer = getattr(torch.optim, name)([w], lr=0.01, **OPTIMIZERS[name])
        for _ in range(2):
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step(lambda: (w * w).sum())
        state = optimizer.state_dict()
        found = load(io.BytesIO(written(torch, state, legacy)))
        assert equal(found, state)
        ours = getattr(dovetail.optim, name)([nn.Parameter(dovetail.zeros(3, 2))], lr=0.5, **OPTIMIZERS[name])
        ours.load_state_dict(found)
        assert ours.param_groups[0]["lr"] == 0.01
        again = ours.state_dict()["state"]
        for key, value in state["state"].get(0, {}).items():
            if hasattr(value, "tolist"):
                assert np.allclose(again[0][key].numpy(), value.numpy())

    def test_what_stands_around_a_training(self, torch, legacy):
        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        schedulers = [
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5),
            torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
            torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=9),
            torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5),
        ]
        averaged = torch.optim.swa_utils.AveragedModel(model)
        averaged.update_parameters(model)
        state = {
            "schedulers": [s.state_dict() for s in schedulers],
            "average": averaged.state_dict(),
            "scaler": torch.amp.GradScaler("cpu").state_dict(),
            "random": torch.get_rng_state(),
            "wide": torch.arange(3).to(torch.uint16),
        }
        anneal = state["schedulers"][2].pop("_anneal_func_type", None)
        assert anneal in (None, "cos")
        assert equal(load(io.BytesIO(written(torch, state, legacy))), state)

    def test_parameters_and_leaves(self, torch, legacy):
        leaf = torch.ones(2, requires_grad=True)
        frozen = torch.nn.Parameter(torch.ones(1), requires_grad=False)
        state = {"p": torch.nn.Parameter(torch.ones(2)), "f": frozen, "l": leaf}
        found = load(io.BytesIO(written(torch, state, legacy)))
        assert equal(found, state)
        assert [type(value) for value in found.values()] == [nn.Parameter, nn.Parameter, dovetail.Tensor]

    def test_plain_data(self, torch, legacy):
        state = [
            None, True, 1, -1, 2**70, 300, 70_000, 1.5, "x" * 300, b"y" * 300, (1,), (1, 2), (1, 2, 3),
            (1, 2, 3, 4), {}, [], {"a": [1, (2, {3: 4})]}, OrderedDict(a=1), Counter("aab"), {1, 2},
            1 + 2j, bytearray(b"abc"),
        ]  # fmt: skip
        assert equal(load(io.BytesIO(written(torch, state, legacy))), state)

    def test_numpy_values(self, torch, legacy):
        state = [np.float64(1.5), np.float32(2), np.int64(-3), np.bool_(True), np.arange(6).reshape(2, 3),
                 np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.zeros((0, 2), np.uint8),
                 np.arange(3, dtype=">i4"), np.float64(2).astype(">f8")]  # fmt: skip
        assert equal(load(io.BytesIO(written(torch, state, legacy))), state)

    def test_types_devices_and_sizes(self, torch, legacy):
        state = [
            torch.float32,
            torch.bfloat16,
            torch.device("cpu"),
            torch.device("cuda", 3),
            torch.Size([2, 3]),
        ]
        found = load(io.BytesIO(written(torch, state, legacy)))
        assert found[:2] == [dovetail.float32, dovetail.bfloat16]
        assert found[2] is dovetail.device("cpu")
        assert isinstance(found[3], type(found[2]))  # a cpu where there is no such device
        assert type(found[4]) is dovetail.Size
        assert found[4] == (2, 3)

    def test_what_shares_shares_again(self, torch, legacy):
        base = torch.arange(12.0).reshape(3, 4)
        state = {"row": base[1], "base": base, "same": base, "alias": base.detach()}
        found = load(io.BytesIO(written(torch, state, legacy)))
        assert found["base"] is found["same"]
        found["base"][1, 0] = 100
        assert found["row"].tolist() == [100, 5, 6, 7]
        assert found["alias"].tolist() == found["base"].tolist()

    def test_a_view_alone_is_its_values(self, torch, legacy):
        found = load(io.BytesIO(written(torch, {"v": torch.arange(1000.0)[10:12]}, legacy)))
        assert found["v"].tolist() == [10.0, 11.0]

    def test_places(self, torch, legacy):
        data = written(torch, {"w": torch.arange(3)}, legacy)
        seen = []
        found = load(io.BytesIO(data), map_location=lambda tensor, place: seen.append(place) or tensor)
        assert found["w"].tolist() == [0, 1, 2]
        assert seen == ["cpu"]
        assert load(io.BytesIO(data), map_location="cpu")["w"].device is dovetail.device("cpu")

    def test_a_whole_module_is_refused_and_every_name_is_given(self, torch, legacy):
        data = written(torch, {"model": torch.nn.Linear(2, 2), "more": torch.nn.ReLU()}, legacy)
        with pytest.raises(RefusedGlobalError, match=r"torch\.save\(model\.state_dict\(\), path\)") as caught:
            load(io.BytesIO(data))
        assert "torch.nn.modules.linear.Linear" in str(caught.value)
        assert "torch.nn.modules.activation.ReLU" in str(caught.value)
        assert isinstance(caught.value, DovetailError)
        assert isinstance(caught.value, pickle.UnpicklingError)

    def test_every_shorter_file_is_refused(self, torch, legacy):
        data = written(torch, {"w": torch.arange(3), "x": [1, "a"]}, legacy)
        for length in range(len(data)):
            with pytest.raises(SavedFileError):
                load(io.BytesIO(data[:length]))

    def test_damaged_files_never_do_worse_than_an_error(self, torch, legacy):
        data = written(torch, {"w": torch.arange(30), "x": [1, "a", (2.5, None)]}, legacy)
        for place in range(len(data)):
            damaged = bytearray(data)
            damaged[place] ^= 1 << place % 8
            try:
                load(io.BytesIO(bytes(damaged)))
            except SavedFileError:
                pass

    def test_paths(self, torch, legacy, tmp_path):
        path = tmp_path / "weights.pt"
        torch.save({"w": torch.ones(2)}, path, _use_new_zipfile_serialization=not legacy)
        assert load(path)["w"].tolist() == [1.0, 1.0]
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(SavedFileError, match=r"file '.*weights\.pt'"):
            load(path)


@pytest.mark.oracle
class TestForms:
    def test_other_pickle_protocols(self, torch):
        for protocol in (2, 3, 4, 5):
            file = io.BytesIO()
            state = {
                "w": torch.arange(3),
                "b": b"raw",
                "s": {1, 2},
                "f": frozenset((3,)),
                "a": bytearray(b"x"),
            }
            torch.save(state, file, pickle_protocol=protocol)
            assert equal(load(io.BytesIO(file.getvalue())), state)

    def test_sparse_and_quantized_tensors_are_refused_by_name(self, torch):
        data = written(torch, {"s": torch.eye(3).to_sparse()})
        with pytest.raises(RefusedGlobalError, match="_rebuild_sparse_tensor"):
            load(io.BytesIO(data))

    def test_views_with_a_pending_conjugate_are_refused(self, torch):
        data = written(torch, {"c": torch.ones(2, dtype=torch.complex64).conj()})
        with pytest.raises(SavedFileError, match=r"resolve_conj|complex"):
            load(io.BytesIO(data))
