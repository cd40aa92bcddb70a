"""Weights in files of PyTorch's: read without PyTorch, and never by executing what they contain."""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.errors import DovetailError, SavedFileError
from dovetail.saving import RefusedGlobalError, load
from dovetail.saving import archive as archive_module

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

    def test_big_endian_files(self, torch):
        values = np.arange(5, dtype=">f4")
        data = pickled_zip({"w": ("float", values.tobytes(), 5)}, byteorder=b"big")
        assert load(io.BytesIO(data))["w"].tolist() == [0, 1, 2, 3, 4]

    def test_torchscript_is_named(self, torch, tmp_path):
        data = pickled_zip({}, extra={"constants.pkl": b"x"})
        with pytest.raises(SavedFileError, match="TorchScript"):
            load(io.BytesIO(data))

    def test_sparse_and_quantized_tensors_are_refused_by_name(self, torch):
        data = written(torch, {"s": torch.eye(3).to_sparse()})
        with pytest.raises(RefusedGlobalError, match="_rebuild_sparse_tensor"):
            load(io.BytesIO(data))

    def test_views_with_a_pending_conjugate_are_refused(self, torch):
        data = written(torch, {"c": torch.ones(2, dtype=torch.complex64).conj()})
        with pytest.raises(SavedFileError, match=r"resolve_conj|complex"):
            load(io.BytesIO(data))


def test_no_file_makes_pytorch_be_imported(tmp_path):
    import subprocess

    path = tmp_path / "w.pt"
    path.write_bytes(pickled_zip({"w": ("float", np.arange(3, dtype="<f4").tobytes(), 3)}))
    code = (
        "import sys, dovetail\n"
        f"print(dovetail.load({str(path)!r})['w'].tolist(), 'torch' in sys.modules)\n"
    )  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert found.stdout == "[0.0, 1.0, 2.0] False\n"


# ----------------------------------------------------------------------------------- made by hand, to do harm


def name(module, attribute):
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def text(value):
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value):
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def storage(key="0", count=4, kind="FloatStorage", place="cpu"):
    """A persistent id: mark, parts, tuple, BINPERSID."""
    return b"(" + text("storage") + name("torch", kind) + text(key) + text(place) + number(count) + b"tQ"


def tensor(offset=0, size=(4,), stride=(1,), grad=b"\x89", source=None, function="_rebuild_tensor_v2"):
    numbers = [b"(" + b"".join(map(number, group)) + b"t" for group in (size, stride)]
    arguments = (source or storage()) + number(offset) + numbers[0] + numbers[1] + grad + ORDERED
    return name("torch._utils", function) + b"(" + arguments + b"tR"


ORDERED = name("collections", "OrderedDict") + b")R"

# What every file of the older form begins with.
HEAD = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2)]
SYSTEM = pickle.dumps({"little_endian": True}, 2)


def zip_of(body, **entries):
    """A file of torch.save's form around a pickle."""
    contents = {"data.pkl": b"\x80\x02" + body + b".", "byteorder": b"little", "data/0": bytes(16)}
    contents.update(entries)
    file = io.BytesIO()
    archive_module.write(file, [(f"w/{key}", value) for key, value in contents.items()])
    return file.getvalue()


def pickled_zip(tensors, byteorder=b"little", extra=None):
    body, entries = b"}(", dict(extra or {})
    for position, (key, (_, data, count)) in enumerate(tensors.items()):
        body += text(key) + tensor(size=(count,), source=storage(str(position), count))
        entries[f"data/{position}"] = data
    return zip_of(body + b"u", byteorder=byteorder, **entries)


def refuse(data, match):
    with pytest.raises(SavedFileError, match=match):
        load(io.BytesIO(data))


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch):
    """What the files here ask for is not called."""
    for target in ("os.system", "os.popen", "numpy.load"):
        monkeypatch.setattr(target, lambda *_, **__: pytest.fail("something was executed"))


def test_the_hand_made_form_is_read_where_it_is_right():
    found = load(io.BytesIO(zip_of(tensor(size=(2, 2), stride=(2, 1)))))
    assert found.tolist() == [[0, 0], [0, 0]]
    assert found.requires_grad is False
    assert load(io.BytesIO(zip_of(tensor(grad=b"\x88")))).requires_grad is True


HARM = {
    "os.system": name("os", "system") + b"(" + text("echo harm") + b"tR",
    "posix.system": name("posix", "system") + b"(" + text("echo harm") + b"tR",
    "builtins.eval": name("builtins", "eval") + b"(" + text("1/0") + b"tR",
    "builtins.getattr": name("builtins", "getattr") + b"(" + name("os", "x") + text("system") + b"tR",
    "builtins.exec": text("builtins") + text("exec") + b"\x93(" + text("1/0") + b"tR",
    "torch.load": name("torch", "load") + b"(" + text("x") + b"tR",
    "torch.storage._load_from_bytes": name("torch.storage", "_load_from_bytes") + b"(tR",
    "numpy.load": name("numpy", "load") + b"(tR",
    "dovetail.saving.pytorch.load_zip": name("dovetail.saving.pytorch", "load_zip") + b"(tR",
    "collections.defaultdict": name("collections", "defaultdict") + b"(tR",
    "subprocess.Popen": b"(" + text("x") + b"t0" + name("subprocess", "Popen") + b"(" + text("x") + b"t\x81",
}


@pytest.mark.parametrize("refused", HARM)
def test_names_outside_the_list_are_refused(refused):
    with pytest.raises(RefusedGlobalError) as caught:
        load(io.BytesIO(zip_of(HARM[refused])))
    assert refused in str(caught.value)
    legacy = b"".join([*HEAD, SYSTEM, b"\x80\x02" + HARM[refused] + b".", pickle.dumps([], 2)])
    with pytest.raises(RefusedGlobalError) as caught:
        load(io.BytesIO(legacy))
    assert refused in str(caught.value)


def test_all_refused_names_are_given_at_once():
    body = b"]("
    for module, attribute in (("os", "system"), ("a.b", "C"), ("os", "system"), ("x", "y")):
        body += name(module, attribute) + b"(" + text("z") + b"tR" + b"}b"
    with pytest.raises(RefusedGlobalError, match=r"never called: os\.system, a\.b\.C, x\.y\. With PyTorch"):
        load(io.BytesIO(zip_of(body + b"e")))


def test_names_hidden_in_the_first_pickles_of_a_legacy_file_are_refused():
    legacy = b"\x80\x02" + HARM["os.system"] + b"." + pickle.dumps(1001, 2)
    with pytest.raises(SavedFileError):
        load(io.BytesIO(legacy))
    legacy = b"".join([*HEAD, b"\x80\x02", HARM["os.system"], b"."])
    with pytest.raises(RefusedGlobalError, match=r"os\.system"):
        load(io.BytesIO(legacy))


class Harm:
    def __reduce__(self):
        return os.system, ("echo harm",)


PICKLES = [pickle.dumps({"x": Harm()}, protocol) for protocol in range(5)]


@pytest.mark.parametrize("data", PICKLES, ids=range(5))
def test_python_pickles_are_refused(data):
    refuse(data, "holds more than weights|neither a dovetail checkpoint nor a file of torch.save")


REBUILD = name("torch._utils", "_rebuild_tensor_v2")

BROKEN = {
    "stack underflow": b"R",
    "mark missing": b"t",
    "nothing left": b"0",
    "memo missing": b"h\x07",
    "call of a number": number(5) + b")R",
    "call of a text": text("os.system") + b")R",
    "call of a type that is only named": name("torch", "FloatStorage") + b")R",
    "call of a dtype": name("torch", "float32") + b")R",
    "call of ndarray": name("numpy", "ndarray") + b"(" + number(3) + b"tR",
    "state of a dict": b"}}b",
    "state of a function": REBUILD + b"}" + text("__defaults__") + b"Nsb",
    "slot state of a function": REBUILD + b"}}" + text("__code__") + b"Ns\x86b",
    "state of a tensor": tensor() + b"}b",
    "attributes of an ordered dict": ORDERED + b"}" + text("keys") + b"Nsb",
    "class of an ordered dict": ORDERED + b"}" + text("__class__") + b"Nsb",
    "items for a list": b"]" + number(1) + number(2) + b"s",
    "items for a function": REBUILD + number(1) + number(2) + b"s",
    "entries for a dict": b"}" + number(1) + b"a",
    "entries for a tensor": tensor() + number(1) + b"a",
    "unhashable key": b"}" + b"]" + number(1) + b"s",
    "instance of the old kind": b"(" + text("x") + b"ios\nsystem\n",
    "object of the old kind": b"(" + name("os", "system") + text("x") + b"o",
    "extension": b"\x82\x01",
    "out of band": b"\x97",
    "next buffer": b"\x98",
    "persistent id as text": b"Px\n",
    "persistent id of a text": text("x") + b"Q",
    "persistent id of another kind": b"(" + text("module") + number(1) + b"tQ",
    "storage of a text": b"(" + text("storage") + text("FloatStorage") + text("0") + text("cpu") + number(4) + b"tQ",
    "storage of -1": storage(count=-1),
    "storage of a float": storage().replace(number(4), b"G" + struct.pack(">d", 4.0)),
    "storage with two sizes": b"]" + storage() + b"a" + storage(count=3) + b"a",
    "storage in two types": b"]" + storage() + b"a" + storage(kind="IntStorage") + b"a",
    "tensor of no storage": tensor(source=number(4)),
    "tensor too large": tensor(size=(5,)),
    "tensor beyond the end": tensor(offset=1),
    "tensor before the beginning": tensor(offset=-1),
    "tensor far out": tensor(offset=2**62),
    "tensor with a long stride": tensor(size=(2,), stride=(4,)),
    "tensor with a negative stride": tensor(stride=(-1,)),
    "tensor of negative size": tensor(size=(-4,)),
    "tensor without strides": tensor(size=(2, 2), stride=(1,)),
    "tensor of 65 dimensions": tensor(size=(1,) * 65, stride=(1,) * 65),
    "tensor of 2^200 elements": tensor(size=(2**50,) * 4, stride=(0,) * 4),
    "tensor that asks for gradients by a number": tensor(grad=number(1)),
    "ints that require gradients": tensor(grad=b"\x88", source=storage(kind="IntStorage")),
    "bytes that are no floats": tensor(source=storage(kind="ByteStorage", count=16), function="_rebuild_tensor_v3"),
    "dtype of objects": name("numpy", "dtype") + b"(" + text("O") + b"tR",
    "dtype of a structure": name("numpy", "dtype") + b"(" + text("i4,i4") + b"tR",
    "dtype of a void": name("numpy", "dtype") + b"(" + text("V8") + b"tR",
    "dtype with a state of its own": name("numpy", "dtype")
    + b"("
    + text("f4")
    + b"tR("
    + number(3)
    + text("x")
    + b"tb",
    "codec": name("_codecs", "encode") + b"(" + text("x") + text("rot13") + b"tR",
    "set of a text": name("builtins", "set") + b"(" + text("x") + b"tR",
    "bytearray of a number": name("builtins", "bytearray") + b"(" + number(2**40) + b"tR",
    "complex of a text": name("builtins", "complex") + b"(" + text("1") + b"tR",
    "a long text that is not there": b"\x8d" + struct.pack("<Q", 2**60),
    "long bytes that are not there": b"\x8e" + struct.pack("<Q", 2**60),
    "a number of many digits": b"L" + b"9" * 10_000 + b"L\n",
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_and_hostile_pickles_are_refused(case):
    refuse(zip_of(BROKEN[case]), "cannot be read|unfold into")


def test_tensors_that_unfold_are_refused_before_they_do():
    refuse(zip_of(tensor(size=(2**29,), stride=(0,))), "has tensors that unfold into 2147483648 bytes")
    assert tuple(load(io.BytesIO(zip_of(tensor(size=(1000,), stride=(0,))))).shape) == (1000,)


def test_a_memo_of_any_place_costs_nothing():
    import tracemalloc

    tracemalloc.start()
    try:
        assert load(io.BytesIO(zip_of(b"]r" + struct.pack("<I", 2**32 - 1)))) == []
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_containers_of_any_depth_do_not_overflow():
    found = load(io.BytesIO(zip_of(b"]" * 100_000 + b"a" * 99_999)))
    depth = 0
    while found:
        found, depth = found[0], depth + 1
    assert depth == 99_999


def test_storages_that_are_missing_or_of_another_size_are_refused():
    body = tensor(source=storage("1"))
    refuse(zip_of(body), "lacks the entry 'w/data/1'")
    refuse(zip_of(body, **{"data/1": bytes(12)}), "12 bytes for storage '1', which needs 16")
    refuse(zip_of(tensor(source=storage("../../x"))), "lacks the entry")
    refuse(zip_of(tensor(), byteorder=b"middle"), "unknown byte order")


def test_checksums_hold_for_pytorchs_files_too():
    data = zip_of(tensor(), **{"data/0": b"0123456789abcdef"})
    refuse(data.replace(b"0123456789abcdef", b"0123456789abcdeF"), "the checksum of entry 'w/data/0' is wrong")


def test_bools_are_0_or_1():
    body = tensor(source=storage(kind="BoolStorage"))
    assert load(io.BytesIO(zip_of(body, **{"data/0": b"\0\1\1\0"}))).tolist() == [False, True, True, False]
    refuse(zip_of(body, **{"data/0": b"\0\1\1\7"}), "a bool in storage '0' that is neither 0 nor 1")


def test_two_pickles_in_one_file_are_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02N.")
        archive.writestr("b/data.pkl", b"\x80\x02N.")
    refuse(file.getvalue(), "neither a dovetail checkpoint nor a file of torch.save")


def test_a_legacy_file_with_wrong_storages_is_refused():
    def legacy(keys, tail):
        return b"".join([*HEAD, SYSTEM, b"\x80\x02", tensor(), b".", pickle.dumps(keys, 2), tail])

    good = struct.pack("<q", 4) + bytes(16)
    assert load(io.BytesIO(legacy(["0"], good))).tolist() == [0, 0, 0, 0]
    refuse(legacy(["0"], good[:-1]), "cut short in storage '0'")
    refuse(legacy(["0"], good[:4]), "cut short or damaged before storage '0'")
    refuse(legacy(["0"], struct.pack("<q", -1) + bytes(16)), "cut short in storage '0'")
    refuse(legacy(["0"], struct.pack("<q", 2**60) + bytes(16)), "cut short in storage '0'")
    refuse(legacy(["0"], struct.pack("<q", 3) + bytes(16)), "12 bytes for storage '0', which needs 16")
    refuse(legacy([], b""), "lacks the storage '0'")
    refuse(legacy(["1"], good), "damaged before storage '1'")
    refuse(legacy([5], good), "list of storages")
    refuse(legacy({"0": 1}, good), "list of storages")
