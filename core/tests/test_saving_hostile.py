"""Files that are broken or made to do harm: a clear error, before anything is built."""

from __future__ import annotations

import io
import json
import random
import struct
import tracemalloc
import zipfile
import zlib
from contextlib import nullcontext

import numpy as np
import pytest

import dovetail
from dovetail.errors import DovetailError, SavedFileError
from dovetail.saving import archive as archive_module
from dovetail.saving import load, save

STATE = {"w": dovetail.arange(5), "more": [1, 2.5, ("x", None)], "b": dovetail.ones(2, 3)}


def dumped(obj):
    file = io.BytesIO()
    save(obj, file)
    return file.getvalue()


def text(value):
    """The state in a form that compares."""
    return repr(value)


def pack(*entries):
    file = io.BytesIO()
    archive_module.write(file, entries)
    return file.getvalue()


def row(**changes):
    made = {"kind": "tensor", "dtype": "float32", "shape": [2], "location": "cpu", "requires_grad": False}
    made.update(changes)
    return {key: value for key, value in made.items() if value is not ...}


def described(root=None, tensors=(), **changes):
    made = {"format": "dovetail checkpoint", "version": 1, "tensors": list(tensors), "root": root, **changes}
    return json.dumps({key: value for key, value in made.items() if value is not ...}).encode()


def crafted(root=None, tensors=(), entries=(), **changes):
    return pack(("dovetail.json", described(root, tensors, **changes)), *entries)


EIGHT = ("tensors/0", bytes(8))


@pytest.fixture(autouse=True)
def nothing_is_built(monkeypatch):
    """No hostile file gets as far as making a tensor."""
    from dovetail.saving import location

    monkeypatch.setattr(location.Placement, "place", lambda *_: pytest.fail("a tensor was built"))


def refuse(data, match, error=SavedFileError):
    with pytest.raises(error, match=match) as caught:
        load(io.BytesIO(data))
    assert isinstance(caught.value, DovetailError)
    return caught.value


def test_the_crafted_form_is_read_where_it_is_right(monkeypatch):
    monkeypatch.undo()
    found = load(io.BytesIO(crafted({"list": [{"tensor": 0}, 1]}, [row()], [EIGHT])))
    assert found[0].tolist() == [0.0, 0.0]


# -------------------------------------------------------------------------------------- cut short and damaged


def test_every_shorter_file_is_refused():
    data = dumped(STATE)
    for length in range(len(data)):
        with pytest.raises(SavedFileError):
            load(io.BytesIO(data[:length]))


def test_every_flipped_bit_is_refused_or_without_effect(monkeypatch):
    monkeypatch.undo()
    data, expected = dumped(STATE), text(STATE)
    refused = 0
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << random.Random(place).randrange(8)
        try:
            found = load(io.BytesIO(bytes(damaged)))
        except SavedFileError:
            refused += 1
        else:
            assert text(found) == expected, f"byte {place}"
    # Dates, versions, permissions and padding are the only bytes that do not matter.
    assert refused > 0.6 * len(data)


def test_random_bytes_are_refused():
    source = random.Random(0)
    for start in (b"", b"PK\3\4", b"\x80\x02", b"PK\5\6"):
        for _ in range(50):
            with pytest.raises(SavedFileError):
                load(io.BytesIO(start + source.randbytes(source.randrange(300))))


def test_bytes_put_in_or_taken_out_are_refused():
    data, source = dumped(STATE), random.Random(1)
    for _ in range(200):
        place = source.randrange(len(data) - 30)
        with pytest.raises(SavedFileError):
            load(io.BytesIO(data[:place] + data[place + source.randrange(1, 30) :]))


def test_changed_values_fail_their_checksum():
    data = bytearray(dumped(STATE))
    place = bytes(data).index(np.arange(5, dtype="<i8").tobytes())
    data[place] ^= 1
    refuse(bytes(data), r"the checksum of entry 'tensors/0' is wrong")


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "broken.dt"
    path.write_bytes(dumped(STATE)[:-5])
    with pytest.raises(SavedFileError, match=r"file '.*broken\.dt' is damaged or cut short"):
        load(path)
    with path.open("rb") as file, pytest.raises(SavedFileError, match=r"broken\.dt"):
        load(file)
    refuse(b"", "the file is empty")


# ------------------------------------------------------------------------------------------------ the archive


def zipped(*entries, **arguments):
    """An archive by Python's own writer, which writes anything."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in entries:
            twice = name in archive.namelist()
            with pytest.warns(UserWarning, match="Duplicate name") if twice else nullcontext():
                archive.writestr(name, data, **arguments)
    return file.getvalue()


GOOD = described({"tensor": 0}, [row()])


def test_another_writer_of_zips_will_do(monkeypatch):
    monkeypatch.undo()
    assert load(io.BytesIO(zipped(("dovetail.json", GOOD), EIGHT))).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", ["dovetail.json", "tensors/0"])
def test_names_that_come_twice_are_refused(name):
    entries = [("dovetail.json", GOOD), EIGHT]
    refuse(zipped(*entries, next(entry for entry in entries if entry[0] == name)), f"two entries called '{name}'")


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "tensors/../x",
        "tensors/1",
        "tensors/00",
        "C:\\x",
        "tensors/0/",
        "x",
    ],
)
def test_names_that_do_not_belong_are_refused(name):
    refuse(zipped(("dovetail.json", GOOD), EIGHT, (name, b"x")), "entries that do not belong into it")


def test_a_name_with_a_zero_byte_is_refused():
    data = zipped(("dovetail.json", GOOD), EIGHT, ("tensors/0x", b"y")).replace(b"tensors/0x", b"tensors/0\0")
    refuse(data, "two entries|do not belong|differ|damaged")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_entries_are_refused_before_they_unfold(method):
    bomb = bytes(50_000_000)
    data = zipped(("dovetail.json", GOOD), ("tensors/0", bomb), compress_type=method)
    assert len(data) < 1_000_000
    tracemalloc.start()
    try:
        refuse(data, "has a compressed entry")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def directory_of(data):
    """Where the central directory begins."""
    return struct.unpack("<I", data[data.rindex(b"PK\5\6") + 16 :][:4])[0]


def changed(data, name, offset, value):
    """The archive with a field in the directory entry of ``name`` changed."""
    place = data.index(name.encode(), directory_of(data)) - 46
    assert data[place : place + 4] == b"PK\1\2"
    return data[: place + offset] + value + data[place + offset + len(value) :]


@pytest.mark.parametrize("size", [9, 2**20, 2**31, 2**32 - 2])
def test_sizes_beyond_the_file_are_refused(size):
    data = crafted({"tensor": 0}, [row()], [EIGHT])
    claimed = struct.pack("<I", size)
    tracemalloc.start()
    try:
        refuse(
            changed(changed(data, "tensors/0", 20, claimed), "tensors/0", 24, claimed),
            "cut short|overlap|bytes for",
        )
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_size_beyond_the_file_that_its_shape_agrees_with_is_refused():
    data = crafted({"tensor": 0}, [row(shape=[2**29])], [EIGHT])
    claimed = struct.pack("<I", 2**31)
    tracemalloc.start()
    try:
        lying = changed(changed(data, "tensors/0", 20, claimed), "tensors/0", 24, claimed)
        refuse(lying, "is cut short: entry 'tensors/0' needs 2147483648 bytes")
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_two_sizes_that_differ_are_a_compressed_entry():
    data = crafted({"tensor": 0}, [row()], [EIGHT])
    refuse(changed(data, "tensors/0", 24, struct.pack("<I", 2**30)), "claim to unfold into 1073741824")


def test_entries_that_overlap_are_refused():
    data = crafted({"list": [{"tensor": 0}, {"tensor": 1}]}, [row(), row()], [EIGHT, ("tensors/1", bytes(8))])
    first = struct.unpack("<I", data[data.index(b"tensors/0", directory_of(data)) - 4 :][:4])[0]
    refuse(changed(data, "tensors/1", 42, struct.pack("<I", first)), "damaged|overlaps")


def test_offsets_outside_are_refused():
    data = crafted({"tensor": 0}, [row()], [EIGHT])
    for offset in (1, len(data) - 3, len(data) + 5, 2**31):
        refuse(changed(data, "tensors/0", 42, struct.pack("<I", offset)), "damaged|cut short|overlaps")


def test_encrypted_entries_are_refused():
    data = crafted({"tensor": 0}, [row()], [EIGHT])
    refuse(changed(data, "tensors/0", 8, b"\1\0"), "encrypted")


def test_a_local_header_that_says_something_else_is_refused():
    data = crafted({"tensor": 0}, [row()], [EIGHT])
    place = data.index(b"tensors/0")
    refuse(data[:place] + b"tensors/9" + data[place + 9 :], "the two headers of entry 'tensors/0' differ")


def test_zips_of_something_else_are_refused():
    refuse(zipped(("hello.txt", b"hi")), "neither a dovetail checkpoint nor a file of torch.save")
    refuse(zipped(), "neither a dovetail checkpoint")
    refuse(zipped(("dovetail.json", b"{}")), "is a zip, but not a dovetail checkpoint")
    refuse(zipped(("dovetail.json", b'{"format": "other"}')), "is a zip, but not a dovetail checkpoint")


# -------------------------------------------------------------------------------------------- the description


@pytest.mark.parametrize("version", [0, 2, 99, "1", 1.5, None, True, -1])
def test_other_versions_are_refused_by_number(version):
    refuse(crafted(version=version), rf"format version {version!r}, and this dovetail reads version 1")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": "dovetail checkpoint", "format": "x"}',
     b'{"a": NaN}', b'{"a": Infinity}', b'{"a": ' + b"9" * 5000 + b"}"],
    ids=["empty", "open", "list", "null", "bytes", "twice", "nan", "infinity", "digits"],
)  # fmt: skip
def test_descriptions_that_are_not_json_are_refused(content):
    refuse(pack(("dovetail.json", content)), "cannot be read|not a dovetail checkpoint")


def test_a_key_that_comes_twice_is_refused():
    content = described().replace(b'"version": 1', b'"version": 1, "version": 1')
    refuse(pack(("dovetail.json", content)), "a key comes twice")


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"list":['])
@pytest.mark.parametrize("depth", [150, 5_000, 500_000])
def test_deep_nesting_is_refused(opening, depth):
    body = opening * depth
    closing = {b"[": b"]", b'{"a":': b"1}", b'{"list":[': b"]}"}[opening]
    inner = closing * depth if opening != b'{"a":' else b"1" + b"}" * depth
    whole = b'{"format":"dovetail checkpoint","version":1,"tensors":[],"root":' + body + inner + b"}"
    refuse(pack(("dovetail.json", whole)), "nested|cannot be read|not of this format|unknown kind|levels deep")


@pytest.mark.parametrize(
    "changes",
    [{"root": ...}, {"tensors": ...}, {"more": 1}, {"tensors": {}}, {"tensors": None}, {"tensors": [1]},
     {"tensors": [{}]}, {"tensors": [[]]}],
    ids=str,
)  # fmt: skip
def test_descriptions_with_other_parts_are_refused(changes):
    made = json.loads(described())
    made.update(changes)
    content = json.dumps({key: value for key, value in made.items() if value is not ...}).encode()
    refuse(
        pack(("dovetail.json", content)),
        "has a description with the parts|table of tensors|not of this format",
    )


ROOTS = [
    {}, {"pickle": "x"}, {"list": 1}, {"list": {}}, {"list": "ab"}, {"dict": [1]}, {"dict": [[1]]},
    {"dict": [[1, 2, 3]]}, {"dict": [[{"list": []}, 1]]}, {"dict": [[1, 1], [1, 2]]},
    {"dict": [[1, 1], [True, 2]]}, {"dict": [[{"tensor": 0}, 1]]}, {"int": 5}, {"int": "zz"},
    {"float": "1.5"}, {"float": 1}, {"bytes": "0"}, {"bytes": "zz"}, {"bytes": 1}, {"complex": [1]},
    {"complex": ["a", 1]}, {"complex": 5}, {"dtype": "float12"}, {"dtype": 5}, {"device": "cpu"},
    {"device": "a:b:c"}, {"device": 1}, {"scalar": []}, {"scalar": ["float32", "00"]},
    {"scalar": ["float32", "00" * 8]}, {"scalar": ["object", "00" * 8]}, {"scalar": 5}, {"size": [1.5]},
    {"size": ["a"]}, {"counter": 3}, {"tensor": "0"}, {"tensor": True}, {"tensor": None}, {"tensor": [0]},
    {"tensor": -1}, {"tensor": 1}, {"tensor": 10**30}, {"list": [], "tuple": []},
    {"ordered_dict": [], "more": 1}, {"list": [[]]}, {"list": [{"dict": 1}]},
]  # fmt: skip


@pytest.mark.parametrize("root", ROOTS, ids=str)
def test_objects_that_the_format_does_not_have_are_refused(root):
    refuse(crafted(root, [row()], [EIGHT]), "not of this format|unknown kind|has a broken|speaks of tensor")


TABLES = [
    {"kind": "code"}, {"kind": ...}, {"kind": ["tensor"]}, {"dtype": "object"}, {"dtype": "float12"},
    {"dtype": 5}, {"dtype": ["float32"]}, {"shape": 2}, {"shape": [-1]}, {"shape": [2.0]},
    {"shape": [True, 2]}, {"shape": ["2"]}, {"shape": [3]}, {"shape": []}, {"shape": [2, 0]},
    {"shape": [2**63]}, {"shape": [2**62, 2**62]}, {"shape": [2**62, 0, 2**62]}, {"shape": [1] * 65},
    {"shape": [10**40]}, {"shape": None}, {"location": 5}, {"location": ...}, {"requires_grad": 1},
    {"requires_grad": ...}, {"dtype": "int32", "requires_grad": True}, {"more": 1}, {"kind": "buffer"},
    {"kind": "array"}, {"kind": "buffer", "persistent": 1},
]  # fmt: skip


@pytest.mark.parametrize("changes", TABLES, ids=lambda changes: str(changes)[:60])
def test_tensors_that_cannot_be_are_refused(changes):
    refuse(crafted({"tensor": 0}, [row(**changes)], [EIGHT]), "tensor 0")


VIEWS = [
    {"of": 1, "offset": 0}, {"of": 2, "offset": 0}, {"of": -1, "offset": 0}, {"of": True, "offset": 0},
    {"of": "0", "offset": 0}, {"of": [0], "offset": 0}, {"of": 10**30, "offset": 0},
    {"of": 0, "offset": -1}, {"of": 0, "offset": 1}, {"of": 0, "offset": 10**30}, {"of": 0, "offset": 0.0},
    {"of": 0}, {"of": 0, "offset": 0, "shape": [3]}, {"of": 0, "offset": 0, "dtype": "float64"},
    {"of": 0, "offset": 0, "location": "cuda:0"}, {"of": 0, "offset": 0, "shape": [2**40]},
]  # fmt: skip


@pytest.mark.parametrize("changes", VIEWS, ids=str)
def test_views_that_do_not_fit_are_refused(changes):
    refuse(crafted({"tensor": 1}, [row(), row(**changes)], [EIGHT]), "tensor 1")


def test_views_of_views_of_arrays_and_of_themselves_are_refused():
    view = row(of=1, offset=0)
    refuse(crafted({"tensor": 2}, [row(), row(of=0, offset=0), view], [EIGHT]), "tensor 2 looks into 1")
    refuse(crafted({"tensor": 0}, [row(of=0, offset=0)]), "tensor 0 looks into 0")
    array = {"kind": "array", "dtype": "float32", "shape": [2]}
    refuse(crafted({"tensor": 1}, [array, row(of=0, offset=0)], [EIGHT]), "tensor 1 looks into 0")
    refuse(crafted({"tensor": 1}, [{**array, "of": 0, "offset": 0}, row()], [EIGHT]), "tensor 0")


def test_an_entry_that_is_missing_or_too_many_is_refused():
    refuse(crafted({"tensor": 0}, [row()]), "lacks the entry 'tensors/0'")
    refuse(crafted({"tensor": 0}, [row()], [EIGHT, ("tensors/1", b"")]), "do not belong")


def test_a_broken_entry_is_found_before_the_first_tensor_is_made():
    data = crafted({"list": [{"tensor": 0}, {"tensor": 1}]}, [row(), row()], [EIGHT, ("tensors/1", bytes(range(8)))])
    refuse(data.replace(bytes(range(8)), bytes(8)), "the checksum of entry 'tensors/1' is wrong")


def test_random_changes_of_a_description_never_do_worse_than_an_error(monkeypatch):
    monkeypatch.undo()
    source = random.Random(5)
    good = json.loads(
        described({"dict": [["a", {"list": [{"tensor": 0}, 1.5]}], ["b", {"tuple": [{"bytes": "00"}]}]]}, [row()])
    )
    values = [None, True, -1, 0, 1, 2**70, 1.5, "", "tensor", [], {}, [1], {"tensor": 0}, {"list": [None]}]

    def mutated(node):
        if source.random() < 0.15:
            return source.choice(values)
        if isinstance(node, dict):
            return {key: mutated(value) for key, value in node.items()}
        return [mutated(value) for value in node] if isinstance(node, list) else node

    loaded = 0
    for _ in range(2000):
        made = {**good, "tensors": mutated(good["tensors"]), "root": mutated(good["root"])}
        try:
            load(io.BytesIO(pack(("dovetail.json", json.dumps(made).encode()), EIGHT)))
            loaded += 1
        except SavedFileError:
            pass
    assert 0 < loaded < 1000


def test_bools_are_0_or_1():
    data = crafted({"tensor": 0}, [row(dtype="bool", shape=[8])], [("tensors/0", b"\0\1\0\1\0\1\0\2")])
    refuse(data, "a bool in tensor 0 that is neither 0 nor 1")


def test_checksums_are_those_of_zip():
    # The planted fault of this file's checks: a reader that skipped them would take these bytes.
    data = dumped(STATE)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            assert zlib.crc32(archive.read(info)) == info.CRC
