from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
import zipfile
from collections import Counter, OrderedDict, namedtuple
from enum import IntEnum

import ml_dtypes
import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.errors import DovetailError
from dovetail.saving import load, save
from dovetail.saving.archive import ALIGNMENT
from dovetail.saving.tree import MAX_DEPTH


def dumped(obj):
    file = io.BytesIO()
    save(obj, file)
    return file.getvalue()


def again(obj, **arguments):
    return load(io.BytesIO(dumped(obj)), **arguments)


def same(a, b):
    """Equal in type and value, nan and the sign of zero included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dovetail.Tensor):
        return (a.dtype, a.shape, a.requires_grad) == (b.dtype, b.shape, b.requires_grad) and (
            a.detach().numpy().tobytes() == b.detach().numpy().tobytes()
        )
    if isinstance(a, np.ndarray | np.generic):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, dict):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a.items(), b.items()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, complex):
        return same([a.real, a.imag], [b.real, b.imag])
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return a == b


PLAIN = [
    None, True, False, 0, -1, 2**53, 2**53 + 1, -(2**64), 10**5000, 1.5, -0.0, 5e-324, 1.7976931348623157e308,
    float("nan"), float("inf"), float("-inf"), 1 + 2j, complex(float("nan"), -0.0),
    "", "text", "ä\n\0\"\\", "\ud800", "🙂", b"", b"\0\xff" * 10,
    [], (), {}, [1, [2, [3]]], (1, (2,), [()]), {"a": {"b": [None]}},
    {1: "int", "1": "text", None: 0, (1, ("a", None)): 1, b"x": 2, 2.5: 3, float("inf"): 4, 2**70: 5},
    OrderedDict([("z", 1), ("a", 2)]), Counter({"x": 3, 7: 1}), {"size": dovetail.Size([2, 3])},
    {"dtype": dovetail.bfloat16, dovetail.float32: dovetail.int64},
]  # fmt: skip


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: repr(value)[:40] if value != 10**5000 else "10**5000")
def test_plain_data_comes_back(value):
    assert same(again(value), value)
    assert same(again({"inside": [value]}), {"inside": [value]})


DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
SHAPES = [(), (0,), (1,), (3,), (2, 3), (0, 4), (2, 0, 3), (1, 1, 1, 1, 2)]


@pytest.mark.parametrize("name", DTYPES)
def test_tensors_of_every_type_and_shape_come_back(name):
    dtype = getattr(dovetail, name)
    state = {str(shape): dovetail.arange(math.prod(shape)).reshape(shape).to(dtype) for shape in SHAPES}
    assert same(again(state), state)
    for shape in SHAPES:
        assert tuple(again(state)[str(shape)].shape) == shape


@pytest.mark.parametrize("name", [*DTYPES, "uint16", "uint32", "uint64", "complex64", "complex128"])
def test_arrays_and_numpy_numbers_come_back(name):
    host = getattr(dovetail, name).host
    values = [np.arange(6).reshape(2, 3).astype(host), np.zeros((0, 2), host), np.array(1, host)]
    assert same(again(values), values)
    number = np.array(1).astype(host)[()]
    assert same(again([number])[0], number)
    assert again(values)[0].flags.writeable


def test_values_that_are_special_keep_their_bits():
    bits = np.array([0x7FC00001, 0xFFC00000, 0x80000000, 1, 0x7F800000], np.uint32).view(np.float32)
    tensor = dovetail.from_numpy(bits)
    assert again([tensor])[0].numpy().tobytes() == bits.tobytes()
    half = np.array([0x7FC1, 0x8000, 1], np.uint16).view(ml_dtypes.bfloat16)
    assert again([dovetail.from_numpy(half)])[0].numpy().tobytes() == half.tobytes()


def test_arrays_in_other_orders_are_saved_by_value():
    forms = [np.arange(6).reshape(2, 3).T, np.arange(10)[::-2], np.asfortranarray(np.ones((2, 3))),
             np.broadcast_to(np.arange(3), (2, 3))]  # fmt: skip
    for form in forms:
        assert np.array_equal(again([form])[0], form)
    swapped = np.arange(3).astype(">i4")
    assert again([swapped])[0].dtype == np.int32
    assert again([swapped])[0].tolist() == [0, 1, 2]


def test_views_and_expanded_tensors_are_saved_by_value():
    base = dovetail.arange(12).reshape(3, 4)
    state = [base.t(), base[:, 1], base[::2], dovetail.ones(1, 3).expand(4, 3)]
    assert [tensor.tolist() for tensor in again(state)] == [tensor.tolist() for tensor in state]


def test_what_requires_gradients_does_so_again_as_a_leaf():
    leaf = dovetail.ones(2, requires_grad=True)
    found = again([leaf, leaf * 2, dovetail.ones(2)])
    assert [tensor.requires_grad for tensor in found] == [True, True, False]
    assert all(tensor.is_leaf for tensor in found)
    assert found[1].tolist() == [2.0, 2.0]


def test_parameters_and_buffers_keep_their_class():
    state = {
        "p": nn.Parameter(dovetail.ones(2)),
        "frozen": nn.Parameter(dovetail.ones(2), requires_grad=False),
        "b": nn.Buffer(dovetail.zeros(3), persistent=False),
    }
    found = again(state)
    assert [type(value) for value in found.values()] == [nn.Parameter, nn.Parameter, nn.Buffer]
    assert [value.requires_grad for value in found.values()] == [True, False, False]
    assert found["b"].persistent is False


def test_a_model_and_its_metadata():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    found = again(model.state_dict())
    assert type(found) is OrderedDict
    assert found._metadata == model.state_dict()._metadata
    assert type(found._metadata) is OrderedDict
    other = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    other.load_state_dict(found)
    assert same(other.state_dict()["0.weight"], model.state_dict()["0.weight"])


def test_a_generators_state_continues():
    source = dovetail.Generator().manual_seed(5)
    dovetail.rand(3, generator=source)
    state = again({"state": source.get_state()})["state"]
    expected = dovetail.rand(4, generator=source).tolist()
    other = dovetail.Generator()
    other.set_state(state)
    assert dovetail.rand(4, generator=other).tolist() == expected


# ---------------------------------------------------------------------------------------------------- sharing


def test_one_object_twice_is_one_object_again():
    tensor, array = dovetail.ones(3), np.ones(2)
    found = again({"a": tensor, "b": [tensor], "c": array, "d": array})
    assert found["a"] is found["b"][0]
    assert found["c"] is found["d"]
    assert len(zipfile.ZipFile(io.BytesIO(dumped([tensor, tensor]))).namelist()) == 2


def test_tied_weights_stay_tied():
    model = nn.Module()
    model.one, model.two = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    model.two.weight = model.one.weight
    data = dumped(model.state_dict())
    assert len(zipfile.ZipFile(io.BytesIO(data)).namelist()) == 2
    found = load(io.BytesIO(data))
    found["one.weight"].fill_(7)
    assert found["two.weight"].tolist() == [[7, 7], [7, 7]]


@pytest.mark.parametrize("order", [("base", "row", "part"), ("part", "row", "base")])
def test_views_look_into_their_base_again(order):
    base = dovetail.arange(12).reshape(3, 4)
    state = {"base": base, "row": base[1], "part": base.view(-1)[2:8].view(2, 3)}
    found = again({name: state[name] for name in order})
    assert {name: value.tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in state.items()
    }
    found["base"][1, 0] = 100
    assert found["row"].tolist() == [100, 5, 6, 7]
    assert found["part"].tolist() == [[2, 3, 100], [5, 6, 7]]
    found["row"].fill_(0)
    assert found["base"].tolist() == [[0, 1, 2, 3], [0, 0, 0, 0], [8, 9, 10, 11]]


def test_a_detached_parameter_shares_with_it_again():
    parameter = nn.Parameter(dovetail.zeros(2))
    found = again({"p": parameter, "d": parameter.detach()})
    assert type(found["p"]) is nn.Parameter
    assert found["d"].requires_grad is False
    found["d"].fill_(3)
    assert found["p"].tolist() == [3.0, 3.0]


def test_a_small_view_does_not_bring_its_base_along():
    part = dovetail.zeros(1_000_000)[:2]
    assert len(dumped({"part": part})) < 2000


# --------------------------------------------------------------------------------------------------- refusals

Point = namedtuple("Point", ["x"])  # a class of the plain form is what users have


class Colour(IntEnum):
    RED = 1


class Odd(dovetail.Tensor):
    pass


class Mine(dict):
    pass


@pytest.mark.parametrize(
    ("state", "path", "more"),
    [
        (
            {"optimizer": {"lambda": lambda: 0}},
            "state['optimizer']['lambda']",
            "functions and classes are code",
        ),
        ({"a": [0, (1, object())]}, "state['a'][1][1]", "builtins.object"),
        ([{1: {None: {2}}}], "state[0][1][None]", "builtins.set"),
        (object(), "state", "builtins.object"),
        ({"p": Point(1)}, "state['p']", "Point"),
        ({"c": Colour.RED}, "state['c']", "Colour"),
        ({"m": Mine()}, "state['m']", "Mine"),
        ({"a": np.array(["x"])}, "state['a']", "<U1"),
        ({"a": np.array([None])}, "state['a']", "object"),
        ({"a": np.ma.ones(2)}, "state['a']", "MaskedArray"),
        ({"s": np.str_("x")}, "state['s']", "<U1"),
        ({"k": {object(): 1}}, "state['k']", "a key of type object"),
        ({"k": {(1, object()): 1}}, "state['k']", "a key of type tuple"),
        ({"model": nn.Linear(1, 1)}, "state['model']", "save state['model'].state_dict() instead"),
        ({"g": dovetail.Generator()}, "state['g']", "save state['g'].get_state() instead"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("state") else "",
)
def test_what_has_no_form_is_named_with_its_path(state, path, more):
    with pytest.raises(TypeError) as caught:
        dumped(state)
    assert isinstance(caught.value, DovetailError)
    assert str(caught.value).startswith(f"{path} ")
    assert more in str(caught.value)


def test_other_classes_of_tensors_are_refused():
    odd = dovetail.Tensor._make_subclass(Odd, dovetail.ones(2))
    with pytest.raises(TypeError, match=r"state\['x'\] is a .*Odd, a tensor class"):
        dumped({"x": odd})


def test_containers_that_hold_themselves_are_refused():
    ring = {"a": []}
    ring["a"].append(ring)
    with pytest.raises(TypeError, match=r"state\['a'\]\[0\] contains itself"):
        dumped(ring)
    shared = [1]
    assert again([shared, shared]) == [[1], [1]]


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_depth_has_a_limit_in_both_directions():
    assert again(nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    with pytest.raises(TypeError, match="more than 100 levels deep"):
        dumped(nested(MAX_DEPTH + 1))


# -------------------------------------------------------------------------------------------------- the bytes

STATE = {"w": dovetail.arange(5), "n": {"x": [1, 2.5, "text"]}, "b": dovetail.ones(0), "a": np.ones((2, 2))}


def test_the_same_object_gives_the_same_bytes():
    assert dumped(STATE) == dumped(STATE)
    code = (
        "import io, sys, dovetail, numpy as np\n"
        "f = io.BytesIO()\n"
        "dovetail.save({'w': dovetail.arange(5), 'n': {'x': [1, 2.5, 'text']}, 'b': dovetail.ones(0),"
        " 'a': np.ones((2, 2))}, f)\n"
        "sys.stdout.buffer.write(f.getvalue())\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONHASHSEED": "123",
        "TZ": "Asia/Tokyo",
    }
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    assert found.stdout == dumped(STATE)


def test_the_layout_is_the_documented_one():
    data = dumped(STATE)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        infos = archive.infolist()
        assert [info.filename for info in infos] == ["dovetail.json", "tensors/0", "tensors/1", "tensors/2"]
        assert all(info.compress_type == zipfile.ZIP_STORED for info in infos)
        assert all(info.date_time == (1980, 1, 1, 0, 0, 0) for info in infos)
        description = json.loads(archive.read("dovetail.json"))
        assert archive.read("tensors/0") == np.arange(5, dtype="<i8").tobytes()
    assert description["format"] == "dovetail checkpoint"
    assert description["version"] == 1
    assert description["tensors"][0] == {
        "kind": "tensor", "dtype": "int64", "shape": [5], "location": "cpu", "requires_grad": False,
    }  # fmt: skip
    assert description["tensors"][2] == {"kind": "array", "dtype": "float64", "shape": [2, 2]}
    assert description["root"] == {
        "dict": [
            ["w", {"tensor": 0}],
            ["n", {"dict": [["x", {"list": [1, 2.5, "text"]}]]}],
            ["b", {"tensor": 1}],
            ["a", {"tensor": 2}],
        ]
    }


def test_values_lie_on_multiples_of_64_bytes_and_can_be_mapped(tmp_path):
    path = tmp_path / "state.dt"
    state = [dovetail.arange(i) for i in range(20)]
    save(state, path)
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for info in archive.infolist():
            file.seek(info.header_offset + 26)
            name, extra = np.frombuffer(file.read(4), "<u2").tolist()
            begin = info.header_offset + 30 + name + extra
            assert begin % ALIGNMENT == 0
            if info.filename != "dovetail.json" and info.file_size:
                mapped = np.memmap(path, "<i8", "r", begin, (info.file_size // 8,))
                assert mapped.tolist() == list(range(int(info.filename.split("/")[1])))


def test_entries_beyond_32_bits_have_the_fields_of_zip64(monkeypatch):
    from dovetail.saving import archive

    # The real limit would need files of 4 GiB.
    monkeypatch.setattr(archive, "_LIMIT32", 1000)
    monkeypatch.setattr(archive, "_LIMIT16", 4)
    state = {
        "large": dovetail.arange(500),
        "small": dovetail.arange(3),
        "other": [dovetail.ones(i) for i in range(5)],
    }
    data = dumped(state)
    monkeypatch.undo()
    # Readers take the wide numbers only where the short ones are full: as they are in a file of that size.
    assert data.count(b"PK\6\6") == data.count(b"PK\6\7") == 1
    wide = data.replace((1000).to_bytes(4, "little"), b"\xff\xff\xff\xff")
    end = wide.rindex(b"PK\5\6")
    wide = wide[: end + 8] + b"\xff\xff\xff\xff" + wide[end + 12 :]
    assert same(load(io.BytesIO(wide)), state)
    with zipfile.ZipFile(io.BytesIO(wide)) as found:
        assert found.testzip() is None


# ------------------------------------------------------------------------------------------------------ files


class Pipe(io.RawIOBase):
    """A file that cannot seek, and takes and gives a little at a time."""

    def __init__(self, data=b""):
        self.data, self.place = bytearray(data), 0

    def writable(self):
        return True

    def readable(self):
        return True

    def seekable(self):
        return False

    def write(self, data):
        taken = bytes(data[:1000])
        self.data += taken
        return len(taken)

    def readinto(self, buffer):
        part = self.data[self.place : self.place + min(len(buffer), 777)]
        buffer[: len(part)] = part
        self.place += len(part)
        return len(part)


class Plain:
    """The least that a file can be."""

    def __init__(self, data=b""):
        self.inner = io.BytesIO(data)

    def write(self, data):
        return self.inner.write(data)

    def read(self, size=-1):
        return self.inner.read(size)


@pytest.mark.parametrize("kind", [Pipe, Plain])
def test_files_that_cannot_seek(kind):
    target = kind()
    save(STATE, target)
    written = bytes(target.data) if kind is Pipe else target.inner.getvalue()
    assert written == dumped(STATE)
    assert same(load(kind(written)), STATE)


def test_files_that_seek_but_only_read():
    class Seeking(Plain):
        def seekable(self):
            return True

        def seek(self, *arguments):
            return self.inner.seek(*arguments)

        def tell(self):
            return self.inner.tell()

    assert same(load(Seeking(dumped(STATE))), STATE)


@pytest.mark.parametrize("kind", [str, os.fspath, lambda path: path])
def test_paths_of_every_kind(tmp_path, kind):
    path = kind(tmp_path / "state.dt")
    save(STATE, path)
    assert same(load(path), STATE)


def test_open_files_and_places_inside_them(tmp_path):
    path = tmp_path / "state"
    with path.open("wb") as file:
        file.write(b"something before")
        save(STATE, file)
    with path.open("rb") as file:
        file.seek(len(b"something before"))
        assert same(load(file), STATE)
    with path.open("rb", buffering=0) as file:
        file.seek(len(b"something before"))
        assert same(load(file), STATE)


@pytest.mark.parametrize("file", [None, 3, ["x"], io.StringIO()])
def test_what_is_no_file_is_refused(file):
    with pytest.raises(TypeError, match="a path or a file open for"):
        save({}, file)
    with pytest.raises(TypeError, match="a path or a file open for"):
        load(file)


def test_a_missing_file_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        save({}, tmp_path / "no folder" / "x")


def test_nothing_is_ever_executed():
    with pytest.raises(TypeError, match="never does"):
        load(io.BytesIO(dumped({})), weights_only=False)
    assert load(io.BytesIO(dumped({})), weights_only=True, mmap=True) == {}


# ----------------------------------------------------------------------------------------------- map_location


def relocated(data, place):
    """The bytes of a file whose tensors were saved elsewhere."""
    from dovetail.saving import archive

    found = archive.Archive(io.BytesIO(data), "it")
    description = json.loads(found.read("dovetail.json").tobytes())
    for row in description["tensors"]:
        if "location" in row:
            row["location"] = place
    file = io.BytesIO()
    text = json.dumps(description).encode()
    names = [name for name in found.entries if name != "dovetail.json"]
    archive.write(file, [("dovetail.json", text), *((name, found.read(name).tobytes()) for name in names)])
    return file.getvalue()


def test_where_there_is_no_such_hardware_the_default_device_takes_it():
    data = relocated(dumped(STATE), "npu:3")
    found = load(io.BytesIO(data))
    assert same(found, STATE)
    assert found["w"].device is dovetail.get_default_device()


@pytest.mark.parametrize("place", ["cpu", dovetail.device("cpu"), {"npu:3": "cpu"}, {"other": "npu:1"}])
def test_places_by_name_device_and_dict(place):
    found = load(io.BytesIO(relocated(dumped(STATE), "npu:3")), map_location=place)
    assert same(found, STATE)
    assert found["w"].device is dovetail.device("cpu")


def test_a_file_cannot_name_a_backend(monkeypatch):
    from dovetail.contract import discovery

    discovery.discover()
    loaded = []
    monkeypatch.setattr(discovery, "load", lambda name: loaded.append(name))
    from dovetail.saving.location import _device_if_there

    for name in discovery.registrations:
        assert _device_if_there(name) is None
        assert _device_if_there(f"{name}:cpu:0") is None
    for tag in ("", ":", "::::", "cpu:x", "npu", "cpu:0:0", "../x", "\0"):
        assert _device_if_there(tag) is None
    assert loaded == []


def test_an_explicit_place_that_is_not_there_is_an_error():
    with pytest.raises(DovetailError, match="npu"):
        load(io.BytesIO(dumped(STATE)), map_location="npu:3")
    with pytest.raises(DovetailError, match="npu"):
        load(io.BytesIO(dumped(STATE)), map_location={"cpu": "npu:3"})


def test_a_function_gets_the_tensor_on_the_cpu_and_its_place():
    seen = []

    def place(tensor, tag):
        seen.append((tensor.tolist(), str(tensor.device), tag))
        return tensor + 1 if tensor.numel() else None

    found = load(io.BytesIO(relocated(dumped(STATE), "npu:3")), map_location=place)
    assert found["w"].tolist() == [1, 2, 3, 4, 5]
    assert found["b"].tolist() == []
    cpu = str(dovetail.device("cpu"))
    assert seen == [([0, 1, 2, 3, 4], cpu, "npu:3"), ([], cpu, "npu:3")]
    assert same(load(io.BytesIO(dumped(STATE)), map_location=lambda storage, place: storage), STATE)


@pytest.mark.parametrize("place", [3, 1.5, ["cpu"]])
def test_other_places_are_refused(place):
    with pytest.raises(TypeError, match="map_location is a device, a string, a dict"):
        load(io.BytesIO(dumped({})), map_location=place)


def test_a_function_that_returns_something_else_is_named():
    with pytest.raises(TypeError, match="map_location returned a str"):
        load(io.BytesIO(dumped(STATE)), map_location=lambda tensor, place: "cpu")


def usable_backends():
    from dovetail.contract import discovery

    return [spec.name for spec in discovery.usable()]


def test_what_one_backend_saves_every_other_loads():
    names = usable_backends()
    data = {}
    for name in names:
        with dovetail.use_backend(name):
            state = {"w": dovetail.arange(6).reshape(2, 3), "h": dovetail.ones(3, dtype=dovetail.bfloat16)}
            data[name] = dumped(state)
    assert len(set(data.values())) == 1
    for name in names:
        with dovetail.use_backend(name):
            found = load(io.BytesIO(data[names[0]]))
            assert found["w"].device.backend == name
            assert found["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
            assert found["h"].dtype is dovetail.bfloat16
