"""The stubs are what the records say, and type checkers find mistakes through them."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dovetail
from dovetail import Tensor, describe
from dovetail.describe import __main__ as command
from dovetail.describe import methods
from dovetail.describe.annotations import Imports
from dovetail.describe.signatures import definition
from dovetail.ops.definition import Number, front
from dovetail.record import registry

PACKAGE = Path(dovetail.__file__).parent

GOOD = """
from __future__ import annotations

import dovetail as torch
from dovetail import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.fc(x))


def train(x: torch.Tensor, y: torch.Tensor) -> float:
    w = torch.randn(3, 4, requires_grad=True)
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w
        w.add_(1).clamp_(min=0)
    total: torch.Tensor = torch.ones(2).sum(dim=0, keepdim=True) + 2 * x[0] - 1
    mask: torch.Tensor = x > 0
    total[mask] = 1.0
    for row in x:
        total = total + row.to(torch.float64, copy=True)
    values, positions = x.max(1)
    assert x.grad is None or x.grad.shape == x.shape
    shape: torch.Size = x.shape
    device: torch.device = x.device
    kind: torch.dtype = torch.float32
    count: int = x.numel()
    return loss.item()
"""

BAD = {
    'dovetail.ones(2).sum(dim="x")': "arg-type",
    'dovetail.add(dovetail.ones(2), "x")': "arg-type",
    "number: int = dovetail.ones(2) * 2": "assignment",
    "dovetail.ones(2).add_(other=None)": "arg-type",
    "dovetail.ones(2).sum(strange=1)": "call-arg",
    "dovetail.ones(2).no_such_method()": "attr-defined",
    "dovetail.no_such_function()": "attr-defined",
    '"x" - dovetail.ones(2)': "operator",
    "text: str = dovetail.ones(2).item()": "assignment",
    'kind: dovetail.dtype = "float32"': "assignment",
}


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package, which a test may spoil and must restore."""
    folder = tmp_path_factory.mktemp("core")
    shutil.copytree(PACKAGE, folder / "dovetail", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def mypy(core: Path, *files: Path) -> list[str]:
    """What mypy says about the files themselves."""
    pytest.importorskip("mypy", reason="mypy is not installed; the extra `test` has it")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file=", *map(str, files)],
        cwd=core, env={"MYPYPATH": str(core), "MYPY_CACHE_DIR": str(core / "cache")},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.stderr == ""
    wanted = {str(f.relative_to(core)) for f in files}
    return [line for line in done.stdout.splitlines() if line.partition(":")[0] in wanted]


def test_the_stubs_are_up_to_date() -> None:
    old = [path.name for path, text in describe.stubs().items() if path.read_text("utf-8") != text]
    assert not old, "run `python -m dovetail.describe`"


def test_the_command_tells_what_is_out_of_date_and_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub = tmp_path / "dovetail" / "a.pyi"
    stub.parent.mkdir()
    stub.write_text("old")
    monkeypatch.setattr(command, "ROOT", stub.parent)
    monkeypatch.setattr(command, "stubs", lambda: {stub: "new"})
    assert command.main(["--check"]) == 1
    assert "dovetail/a.pyi is out of date: run `python -m dovetail.describe`" in capsys.readouterr().err
    assert stub.read_text() == "old"
    assert command.main([]) == 0
    assert stub.read_text() == "new"
    assert command.main(["--check"]) == 0


def test_every_method_is_in_the_stub_and_none_is_typed_by_hand() -> None:
    tree = ast.parse(methods.text())
    cls = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    written = {node.name for node in cls.body if isinstance(node, ast.FunctionDef)}
    assert written == {*methods.bound(), "__hash__"}
    for name in ("add", "add_", "__radd__", "sum", "grad", "backward", "to", "__getitem__", "view"):
        assert name in written
    assert "def numel" not in methods.text(), "what tensor.py defines is checked there"


def test_every_public_op_is_in_the_stub_of_the_package() -> None:
    text = describe.stubs()[PACKAGE / "__init__.pyi"]
    tree = ast.parse(text)
    written = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    public = {op.name for op in registry.ops() if not op.internal} | {f.name for f in registry.fronts() if f.public}
    assert written == public
    assert all(name in dir(dovetail) for name in written)


def test_a_new_op_reaches_every_stub() -> None:
    """One definition is enough; the stubs know the rest."""

    @front(method=["halved"])
    def halved_for_a_test(input: dovetail.Tensor, parts: Number = 2, *, exact: bool = True) -> dovetail.Tensor:
        """Half of it."""
        return input / parts

    try:
        stubs = {path.relative_to(PACKAGE).as_posix(): text for path, text in describe.stubs().items()}
    finally:
        registry.remove("halved_for_a_test")
    method = "def halved(self, parts: _Number = 2, *, exact: builtins.bool = True) -> "
    assert method in stubs["tensor/methods.pyi"]
    assert "def halved_for_a_test(" in stubs["__init__.pyi"]
    assert "import halved_for_a_test" not in stubs["ops/__init__.pyi"], "its module does not have it by that name"


def test_a_signature_keeps_its_kinds_of_parameters() -> None:
    def sample(a: int, /, b: str = "x", *rest: float, c: Number = 1.5, d: Tensor, **words: object) -> None: ...

    sample.__module__ = "dovetail.ops.values"
    assert definition("sample", sample, Imports()) == [
        "def sample(",
        "    a: builtins.int,",
        "    /,",
        "    b: builtins.str = 'x',",
        "    *rest: builtins.float,",
        "    c: _Number = 1.5,",
        "    d: Tensor,",
        "    **words: builtins.object,",
        ") -> None: ...",
    ]
    assert definition("sample", lambda: None, Imports(), returns="_X", indent="  ") == ["  def sample() -> _X: ..."]


def test_a_name_that_nobody_defines_is_an_error() -> None:
    def sample(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    sample.__module__ = "dovetail.ops.values"
    with pytest.raises(LookupError, match=r"'Nowhere' in dovetail\.ops\.values"):
        definition("sample", sample, Imports())


def test_two_modules_may_use_one_name_for_two_things() -> None:
    imports = Imports()
    assert imports.alias("a.one", "Size") == "_Size"
    assert imports.alias("a.two", "Size") == "_Size2"
    assert imports.lines() == ["from a.one import Size as _Size", "from a.two import Size as _Size2"]


@pytest.mark.slow
def test_user_code_is_checked(core: Path) -> None:
    good, bad = core / "good.py", core / "bad.py"
    good.write_text(GOOD)
    bad.write_text("import dovetail\n" + "\n".join(BAD) + "\n")
    found = mypy(core, good, bad)
    assert [line for line in found if line.startswith("good.py")] == []
    by_line = {int(line.split(":")[1]): line for line in found if ": error:" in line}
    for number, (code, kind) in enumerate(BAD.items(), start=2):
        assert f"[{kind}]" in by_line.get(number, ""), f"{code}: {by_line.get(number)}"


@pytest.mark.slow
def test_a_mistake_in_the_tensor_is_found(core: Path) -> None:
    """A stub named tensor.pyi would switch this check off."""
    file = core / "dovetail" / "tensor" / "tensor.py"
    text = file.read_text()
    assert mypy(core, file) == []
    planted = {
        "        return self._spec.dtype.itemsize * self._spec.size\n": "        return \n",
        "            self._node = Leaf(self)\n": "            self._node = Leaf(self._spec)\n",
        "            Tensor.refresh(self)\n": "            self.no_such_method()\n",
    }
    try:
        for right, wrong in planted.items():
            assert text.count(right) == 1
            file.write_text(text.replace(right, wrong))
            assert any(": error:" in line for line in mypy(core, file)), wrong
    finally:
        file.write_text(text)


@pytest.mark.slow
def test_methods_that_the_records_bind_are_known_inside_the_core(core: Path) -> None:
    file = core / "dovetail" / "tensor" / "spoiled.py"
    file.write_text(
        "from dovetail.tensor.tensor import Tensor\n\n\n"
        "def right(x: Tensor) -> Tensor:\n    return x.add(1).sum(0)\n\n\n"
        "def wrong(x: Tensor) -> int:\n    return x.add(1)\n"
    )
    try:
        found = mypy(core, file)
    finally:
        file.unlink()
    assert len(found) == 1
    assert "spoiled.py:9: error" in found[0]
