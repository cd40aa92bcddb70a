"""Files made by hand in PyTorch's form, to do harm: nothing that they name is called."""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
import zipfile

import numpy as np
import pytest

from dovetail.errors import SavedFileError
from dovetail.saving import RefusedGlobalError, load
from dovetail.saving import archive as archive_module


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
    refuse(data, "holds more than weights|nor a safetensors file, nor a file of torch.save")


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


def test_torchscript_is_named():
    data = pickled_zip({}, extra={"constants.pkl": b"x"})
    with pytest.raises(SavedFileError, match="TorchScript"):
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


def test_big_endian_files():
    values = np.arange(5, dtype=">f4")
    data = pickled_zip({"w": ("float", values.tobytes(), 5)}, byteorder=b"big")
    assert load(io.BytesIO(data))["w"].tolist() == [0, 1, 2, 3, 4]
