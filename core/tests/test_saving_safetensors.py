"""Files in the safetensors format: ours, those of its own library, of other frameworks, and hostile ones."""

from __future__ import annotations

import io
import json
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.errors import SavedFileError
from dovetail.saving import safetensors as form
from dovetail.saving.flat import WORTH_MAPPING

NAMES = [name for name in form.CODES if not name.startswith("complex")]


def made(name: str, shape: tuple[int, ...] = (2, 3)) -> dovetail.Tensor:
    values = np.arange(int(np.prod(shape))).reshape(shape) % 2 if name == "bool" else np.arange(np.prod(shape))
    return dovetail.tensor(values.reshape(shape).tolist(), dtype=dovetail.dtypes.by_name(name))


def every() -> dict[str, dovetail.Tensor]:
    """A tensor of each dtype, a number, and nothing."""
    found = {f"of.{name}": made(name) for name in NAMES}
    return {**found, "number": made("float32", ()), "nothing": made("int64", (0, 4)), "ünicode": made("int8", (3,))}


def written(obj: Any) -> bytes:
    file = io.BytesIO()
    dovetail.save(obj, file)
    return file.getvalue()


def raw(header: Any, values: bytes = b"", length: int | None = None) -> bytes:
    """A file of any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + values


def row(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def same(a: Any, b: Any) -> None:
    assert list(a) == list(b)
    for name in a:
        assert a[name].dtype is b[name].dtype
        assert a[name].shape == b[name].shape
        assert a[name].tolist() == b[name].tolist()


# -------------------------------------------------------------------------------------------------- our files


def test_a_table_of_tensors_comes_back() -> None:
    data = written(every())
    assert form.is_safetensors(data)
    found = dovetail.load(io.BytesIO(data))
    same(found, every())
    assert type(found) is dict
    assert written(every()) == data


def test_state_dicts_come_back_as_they_were() -> None:
    model = dovetail.nn.Sequential(dovetail.nn.Linear(2, 2), dovetail.nn.BatchNorm1d(2))
    data = written(model.state_dict())
    assert form.is_safetensors(data)
    found = dovetail.load(io.BytesIO(data))
    assert type(found) is OrderedDict
    assert found._metadata == model.state_dict()._metadata  # type: ignore[attr-defined]  # as modules put it there
    same(found, model.state_dict())
    parameters = dovetail.load(io.BytesIO(written(dict(model.named_parameters()))))
    assert {type(value) for value in parameters.values()} == {dovetail.nn.Parameter}
    grads = dovetail.load(io.BytesIO(written({"a": dovetail.ones(2, requires_grad=True), "b": dovetail.ones(2)})))
    assert [t.requires_grad for t in grads.values()] == [True, False]
    buffer = dovetail.nn.Buffer(dovetail.ones(1), persistent=False)
    assert dovetail.load(io.BytesIO(written({"b": buffer})))["b"].persistent is False


def test_views_are_saved_by_their_values() -> None:
    base = dovetail.arange(12).reshape(3, 4)
    data = written({"turned": base.t(), "row": dovetail.arange(6)[2:4]})
    assert form.is_safetensors(data)
    assert dovetail.load(io.BytesIO(data))["turned"].tolist() == base.t().tolist()


def test_what_the_format_has_no_form_for_goes_into_the_zip(tmp_path: Path) -> None:
    tied = dovetail.ones(3)
    flat = dovetail.arange(6)
    others = [{}, [tied], {"a": tied, "n": 1}, {1: tied}, {"a": tied, "b": tied}, {"a": flat, "b": flat[1:3]},
              {"a": {"b": tied}}, {"__metadata__": tied}, {"\ud800": tied}]  # fmt: skip
    for other in others:
        assert written(other).startswith(b"PK"), other
    shared = dovetail.load(io.BytesIO(written({"a": flat, "b": flat[1:3]})))
    shared["a"].zero_()
    assert shared["b"].tolist() == [0, 0]
    for other in (*others[:4], *others[6:]):
        with pytest.raises(TypeError, match="asks for the safetensors format"):
            dovetail.save(other, tmp_path / "x.safetensors")
    assert list(tmp_path.iterdir()) == []
    dovetail.save({"a": tied, "b": tied}, tmp_path / "tied.safetensors")
    found = dovetail.load(tmp_path / "tied.safetensors")
    assert found["a"].tolist() == found["b"].tolist() == [1, 1, 1]


def test_places_and_other_backends(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    dovetail.save({"w": made("bfloat16")}, path)
    seen = []
    found = dovetail.load(path, map_location=lambda t, place: seen.append(place) or t + 1)
    assert seen == ["cpu"]
    assert found["w"].tolist() == (made("bfloat16") + 1).tolist()
    assert dovetail.load(path, map_location={"cpu": "cpu"})["w"].device.type == "cpu"
    pytest.importorskip("jax", reason="JAX is an extra")
    for mmap in (False, True):
        on_jax = dovetail.load(path, map_location="jax:cpu", mmap=mmap)["w"]
        assert on_jax.device.backend == "jax"
        dovetail.save({"w": on_jax}, tmp_path / "j.safetensors")
        same(dovetail.load(tmp_path / "j.safetensors"), {"w": made("bfloat16")})
    with dovetail.use_backend("jax"):
        assert dovetail.load(path)["w"].device.backend == "jax"


@pytest.mark.parametrize("mmap", [None, False, True])
def test_a_mapped_file_is_never_written(tmp_path: Path, mmap: bool | None) -> None:
    path = tmp_path / "m.safetensors"
    count = WORTH_MAPPING // 4 + 5
    values = np.arange(count, dtype="<f4")
    path.write_bytes(raw({"x": row("F32", [count], 0, 4 * count)}, values.tobytes()))
    before = path.read_bytes()
    found = dovetail.load(path, mmap=mmap)["x"]
    found[0] = 7
    found.add_(1)
    assert found[:3].tolist() == [8, 2, 3]
    assert found[-1].item() == count
    assert path.read_bytes() == before
    dovetail.save({"x": found}, path)
    assert dovetail.load(path)["x"][0].item() == 8
    assert found[1].item() == 2


def test_mapping_does_not_read_what_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    size = 4 << 30  # more than reading would take in this time; a file with a hole takes no room
    text = json.dumps({"x": row("F32", [size // 4], 0, size)}).encode()
    header = raw(text + b" " * (-len(text) % 8))
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + size)
    assert dovetail.load(path)["x"][-1].item() == 0


# ------------------------------------------------------------------------------------------- other libraries


def test_the_formats_own_library_reads_ours(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors", reason="safetensors is in the extra `test`")
    path = tmp_path / "m.safetensors"
    dovetail.save(every(), path)
    with library.safe_open(str(path), "np") as file:
        assert set(file.keys()) == set(every())
        assert file.metadata()["format"] == "pt"
        for name, tensor in every().items():
            found = file.get_tensor(name)
            assert found.dtype == tensor.dtype.host
            assert found.shape == tuple(tensor.shape)
            np.testing.assert_array_equal(found.astype("f8"), tensor.numpy().astype("f8"))


def test_we_read_what_the_formats_own_library_writes(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is in the extra `test`")
    path = tmp_path / "m.safetensors"
    library.save_file({name: np.array(t.numpy()) for name, t in every().items()}, path, metadata={"by": "another"})
    for mmap in (None, True):
        found = dovetail.load(path, mmap=mmap)
        same({name: found[name] for name in every()}, every())


@pytest.mark.oracle
def test_we_read_what_pytorch_users_write_in_shards(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    library = pytest.importorskip("safetensors.torch", reason="safetensors is in the extra `test`")
    parts: list[dict[str, Any]] = [
        {"a.weight": torch.randn(3, 2).bfloat16(), "a.bias": torch.randn(3).half()},
        {"b.weight": torch.randn(2, 3), "b.count": torch.tensor(7)},
    ]
    places = {}
    for i, part in enumerate(parts):
        name = f"model-{i + 1:05}-of-00002.safetensors"
        library.save_file(part, tmp_path / name, metadata={"format": "pt"})
        places.update(dict.fromkeys(part, name))
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 42}, "weight_map": places}))
    whole = parts[0] | parts[1]
    for where in (tmp_path, index, str(index)):
        found = dovetail.load(where)
        assert list(found) == list(whole)
        for name, tensor in whole.items():
            assert found[name].dtype.name == str(tensor.dtype).rpartition(".")[2]
            assert found[name].tolist() == tensor.tolist()


# --------------------------------------------------------------------------------------------------- folders


def test_a_folder_with_one_model(tmp_path: Path) -> None:
    with pytest.raises(SavedFileError, match="has no model"):
        dovetail.load(tmp_path)
    dovetail.save({"w": made("float32")}, tmp_path / "other.safetensors")
    same(dovetail.load(tmp_path), {"w": made("float32")})
    dovetail.save({"v": made("float32")}, tmp_path / "another.safetensors")
    with pytest.raises(SavedFileError, match="several models"):
        dovetail.load(tmp_path)
    dovetail.save({"u": made("float32")}, tmp_path / "model.safetensors")
    assert list(dovetail.load(tmp_path)) == ["u"]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([], "no weight_map"),
        ({"weight_map": {"w": 3}}, "no weight_map"),
        ({"weight_map": {"w": "../inside/m.safetensors"}}, "has no path in it"),
        ({"weight_map": {"w": "/etc/passwd"}}, "has no path in it"),
        ({"weight_map": {"w": "..\\m.safetensors"}}, "has no path in it"),
        ({"weight_map": {"w": ".."}}, "has no path in it"),
        ({"weight_map": {"w": "m.safetensors\0"}}, "has no path in it"),
        ({"weight_map": {"w": "missing.safetensors"}}, "is not beside it"),
        ({"weight_map": {"w": "folder"}}, "is not beside it"),
        ({"weight_map": {"w": "pytorch.bin"}}, "a file of torch.save"),
        ({"weight_map": {"w": "m.safetensors", "v": "m.safetensors"}}, "does not have it"),
        ({"weight_map": {"w": "m.safetensors", "v": "broken.safetensors"}}, "cut short"),
    ],
)
def test_indexes_that_lead_elsewhere_are_refused(tmp_path: Path, index: Any, message: str) -> None:
    folder = tmp_path / "inside"
    (folder / "folder").mkdir(parents=True)
    dovetail.save({"w": made("float32")}, folder / "m.safetensors")
    (folder / "pytorch.bin").write_bytes(b"PK\3\4")
    (folder / "broken.safetensors").write_bytes((folder / "m.safetensors").read_bytes()[:-1])
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    placed = []
    with pytest.raises(SavedFileError, match=message):
        dovetail.load(folder, map_location=lambda t, place: placed.append(t))
    assert placed == []


def test_a_pointer_is_not_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(SavedFileError, match="git lfs pull"):
        dovetail.load(path)
    path.write_text("something else")
    with pytest.raises(SavedFileError, match="nor a safetensors file"):
        dovetail.load(path)


# --------------------------------------------------------------------------------------------- hostile files

FLOAT = row("F32", [2], 0, 8)
HOSTILE = {
    "overlap": (raw({"a": FLOAT, "b": row("F32", [2], 4, 12)}, bytes(12)), "overlaps another one"),
    "the same place twice": (raw({"a": FLOAT, "b": FLOAT}, bytes(8)), "overlaps another one"),
    "hole": (raw({"a": FLOAT, "b": row("F32", [2], 12, 20)}, bytes(20)), "leaves a hole"),
    "begins late": (raw({"a": row("F32", [2], 4, 12)}, bytes(12)), "leaves a hole"),
    "more at the end": (raw({"a": FLOAT}, bytes(9)), "goes on after its last tensor"),
    "cut short": (raw({"a": FLOAT}, bytes(7)), "is cut short"),
    "nothing there": (raw({"a": FLOAT}), "is cut short"),
    "claims exabytes": (raw({"a": row("F32", [2**60], 0, 2**62)}, bytes(8)), "is cut short"),
    "size and offsets": (raw({"a": row("F32", [3], 0, 8)}, bytes(8)), "8 bytes for tensor 'a'"),
    "sizes that overflow": (raw({"a": row("F32", [2**62, 2**62], 0, 8)}, bytes(8)), "8 bytes for tensor 'a'"),
    "negative size": (raw({"a": row("F32", [-2], 0, 8)}, bytes(8)), "the shape"),
    "bool as size": (raw({"a": row("F32", [True, 2], 0, 8)}, bytes(8)), "the shape"),
    "float as size": (raw({"a": row("F32", [2.0], 0, 8)}, bytes(8)), "the shape"),  # type: ignore[list-item]
    "65 dimensions": (raw({"a": row("F32", [1] * 65, 0, 4)}, bytes(4)), "the shape"),
    "backwards": (raw({"a": row("F32", [2], 8, 0)}, bytes(8)), "-8 bytes"),
    "negative offset": (raw({"a": row("F32", [2], -8, 0)}, bytes(8)), "the offsets"),
    "three offsets": (raw({"a": FLOAT | {"data_offsets": [0, 4, 8]}}, bytes(8)), "the offsets"),
    "unknown type": (raw({"a": row("Q4_K", [2], 0, 8)}, bytes(8)), "unknown type 'Q4_K'"),
    "type of a list": (raw({"a": FLOAT | {"dtype": []}}, bytes(8)), "unknown type"),
    "8 bits": (raw({"a": row("F8_E4M3", [8], 0, 8)}, bytes(8)), "F8_E4M3, which no backend of dovetail has"),
    "another field": (raw({"a": FLOAT | {"code": "import os"}}, bytes(8)), "not of the format"),
    "a list": (raw({"a": [1]}, bytes(8)), "not of the format"),
    "twice": (raw(b'{"a": %b, "a": %b}' % ((json.dumps(FLOAT).encode(),) * 2), bytes(8)), "a key comes twice"),
    "no JSON": (raw(b"{'a': 1}"), "cannot be read"),
    "NaN": (raw(b'{"a": NaN}'), "NaN is not JSON"),
    "no UTF-8": (raw(b'{"\xff": 1}'), "cannot be read"),
    "deep": (raw(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "cannot be read"),
    "huge header": (raw(b"{}", length=form.LARGEST_HEADER + 1), "claims a header of 100000001 bytes"),
    "header beyond the end": (raw(b"{}", length=1000), "does not fit"),
    "metadata": (raw({"__metadata__": {"a": 1}, "a": FLOAT}, bytes(8)), "not a table of texts"),
    "bools": (raw({"a": row("BOOL", [2], 0, 2)}, b"\1\2"), "neither 0 nor 1"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    data, message = HOSTILE[name]
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    made = []
    for source in (io.BytesIO(data), path):
        with pytest.raises(SavedFileError, match=message):
            dovetail.load(source, map_location=lambda t, place: made.append(t))
    assert made == []


def notes(change: Any) -> bytes:
    """One of our files with changed notes."""
    data = written({"a": dovetail.ones(2), "b": dovetail.zeros(1, dtype=dovetail.int64)})
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    own = json.loads(header["__metadata__"]["dovetail"])
    changed = change(own)
    header["__metadata__"]["dovetail"] = changed if isinstance(changed, str) else json.dumps(own)
    return raw(header, data[8 + length :])


NOTES: dict[str, tuple[Any, str]] = {
    "no JSON": (lambda own: "{", "cannot be read"),
    "a list": (lambda own: "[]", "not of this format"),
    "version": (lambda own: own.update(version=2), "notes of version 2"),
    "container": (lambda own: own.update(container="os.system"), "parts that this format does not have"),
    "more": (lambda own: own.update(code="x"), "parts that this format does not have"),
    "another tensor": (lambda own: own["tensors"].update(c=own["tensors"]["a"]), "other tensors than it holds"),
    "a tensor less": (lambda own: own["tensors"].pop("a") and None, "other tensors than it holds"),
    "kind": (lambda own: own["tensors"]["a"].update(kind="array"), "about tensor 'a'"),
    "kind of a list": (lambda own: own["tensors"]["a"].update(kind=[]), "about tensor 'a'"),
    "location": (lambda own: own["tensors"]["a"].update(location=3), "values of the wrong type"),
    "flag": (lambda own: own["tensors"]["a"].update(requires_grad=1), "values of the wrong type"),
    "ints": (lambda own: own["tensors"]["b"].update(requires_grad=True), "requires gradients"),
    "checksum": (lambda own: own["tensors"]["a"].update(crc32=1), "the checksum of tensor 'a' is wrong"),
    "tensor in notes": (
        lambda own: own.update(container="ordered_dict", metadata={"tensor": 0}), "which hold none",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTES)
def test_hostile_notes_are_refused(name: str) -> None:
    change, message = NOTES[name]
    assert list(dovetail.load(io.BytesIO(notes(lambda own: None)))) == ["a", "b"]
    with pytest.raises(SavedFileError, match=message):
        dovetail.load(io.BytesIO(notes(change)))


def test_a_file_that_is_cut_or_changed_anywhere_is_refused() -> None:
    data = written({"weight": dovetail.arange(5), "bias": made("bfloat16")})
    for length in range(len(data)):
        with pytest.raises(SavedFileError):
            dovetail.load(io.BytesIO(data[:length]))
    (header,) = struct.unpack("<Q", data[:8])
    for place in range(8 + header, len(data)):
        changed = bytearray(data)
        changed[place] ^= 4
        with pytest.raises(SavedFileError, match="checksum"):
            dovetail.load(io.BytesIO(bytes(changed)))
