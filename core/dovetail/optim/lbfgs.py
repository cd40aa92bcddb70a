"""L-BFGS: a quasi-Newton method for a loss that can be evaluated as often as it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dovetail import ops
from dovetail.autograd.mode import enable_grad, no_grad
from dovetail.dispatch.state import tracing
from dovetail.errors import ArgumentError, ArgumentRuntimeError, ArgumentTypeError, CaptureError
from dovetail.optim.groups import Group, check_rate
from dovetail.optim.line_search import Point, strong_wolfe
from dovetail.optim.optimizer import Optimizer
from dovetail.tensor.tensor import Tensor

State = dict[str, Any]


class LBFGS(Optimizer):
    """L-BFGS (Liu and Nocedal 1989), with a line search by the strong Wolfe conditions on request.

    ``step`` takes a closure that clears the gradients, computes the loss, calls backward and returns the loss; it is
    called up to ``max_eval`` times. There is one group, whose parameters are seen as one vector. The state of the
    vector is kept with the first parameter. The method reads values to decide, so it cannot be captured.

    Errors: ValueError for several groups, TypeError for a step without a closure, RuntimeError for another line search
    than "strong_wolfe", CaptureError inside a captured function.

    >>> import dovetail
    >>> w = dovetail.tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = dovetail.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - dovetail.tensor([1.0, 2.0])) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure)
    tensor(20., grad_fn=<SumBackward0>)
    >>> w
    tensor([1.0000, 2.0000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        }  # fmt: skip
        super().__init__(params, defaults)

    def add_param_group(self, param_group: Group) -> None:
        """Take the one group; a second is an error."""
        if self.param_groups:
            raise ArgumentError("LBFGS doesn't support per-parameter options (parameter groups)")
        super().add_param_group(param_group)

    def check_options(self, group: Group) -> None:
        """Raise for a learning rate outside the algorithm's range."""
        check_rate(group["lr"])

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move up to ``max_iter`` times along directions of the method; return the loss before the first."""
        if tracing.get() is not None:
            raise CaptureError(
                "LBFGS reads values to decide how far to go and when to stop, which no captured program can repeat: "
                "call optimizer.step(closure) outside, and capture what the closure computes"
            )
        if closure is None:
            raise ArgumentTypeError("LBFGS.step() needs a closure: a function that computes the loss and its gradient")
        with no_grad():
            return _Run(self, closure).run()

    def check_state(self, param: Tensor, state: State) -> None:
        """Raise for loaded vectors of another length than all parameters together."""
        length = sum(p.numel() for p in self.param_groups[0]["params"])
        vectors = [state.get("d"), state.get("prev_flat_grad"), *(state.get("old_dirs") or [])]
        for vector in (*vectors, *(state.get("old_stps") or [])):
            if isinstance(vector, Tensor) and vector.numel() != length:
                raise ArgumentError(
                    f"the loaded state dict has vectors of {vector.numel()} elements, the parameters have {length}"
                )


class _Run:
    """One step: the iterations, from a direction over a step length to the next gradient."""

    def __init__(self, optimizer: LBFGS, closure: Callable[[], Any]) -> None:
        self.group = optimizer.param_groups[0]
        self.params: list[Tensor] = self.group["params"]
        self.state: State = optimizer.state[self.params[0]]
        self.closure = closure
        self.rate = float(self.group["lr"])
        self.evaluations = 0
        if self.group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ArgumentRuntimeError("only 'strong_wolfe' is supported")

    def run(self) -> Any:
        """Iterate until something says that it is enough."""
        state = self.state
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with enable_grad():
            first = self.closure()
        loss = float(first)
        gradient = self._gradient()
        self._count(1)
        if _largest(gradient) <= self.group["tolerance_grad"]:
            return first
        for turn in range(1, self.group["max_iter"] + 1):
            state["n_iter"] += 1
            self._direct(gradient)
            before, state["prev_loss"] = loss, loss
            slope = float(gradient.dot(state["d"]))
            state["t"] = min(1.0, 1.0 / float(gradient.abs().sum())) if state["n_iter"] == 1 else 1.0
            state["t"] *= self.rate
            if slope > -self.group["tolerance_change"]:
                break
            last = turn == self.group["max_iter"]
            loss, gradient = self._go(loss, gradient, slope, last)
            if last or self._enough(before, loss, gradient):
                break
        return first

    def _enough(self, before: float, loss: float, gradient: Tensor) -> bool:
        group, state = self.group, self.state
        return bool(
            self.evaluations >= group["max_eval"]
            or _largest(gradient) <= group["tolerance_grad"]
            or _largest(state["d"] * state["t"]) <= group["tolerance_change"]
            or abs(loss - before) < group["tolerance_change"]
        )

    # ------------------------------------------------------------------ the direction

    def _direct(self, gradient: Tensor) -> None:
        """Set the direction: the inverse Hessian that the last steps suggest, times the gradient."""
        state = self.state
        if state["n_iter"] == 1:
            state.update(d=-gradient, old_dirs=[], old_stps=[], ro=[], H_diag=1)
        else:
            self._remember(gradient)
            state["d"] = self._two_loops(gradient)
        state["prev_flat_grad"] = gradient.clone()

    def _remember(self, gradient: Tensor) -> None:
        """Keep the last step and the change of the gradient along it, if the curvature is positive."""
        state = self.state
        change = gradient - state["prev_flat_grad"]
        moved = state["d"] * float(state["t"])
        curvature = change.dot(moved)
        if not float(curvature) > 1e-10:
            return
        for name, value in (("old_dirs", change), ("old_stps", moved), ("ro", 1.0 / curvature)):
            if len(state[name]) == self.group["history_size"]:
                state[name].pop(0)
            state[name].append(value)
        state["H_diag"] = curvature / change.dot(change)

    def _two_loops(self, gradient: Tensor) -> Tensor:
        """The two-loop recursion (Nocedal and Wright, algorithm 7.4)."""
        state = self.state
        changes, steps, inverses = state["old_dirs"], state["old_stps"], state["ro"]
        factors: list[Any] = state.setdefault("al", [None] * self.group["history_size"])
        q = -gradient
        for i in reversed(range(len(changes))):
            factors[i] = steps[i].dot(q) * inverses[i]
            q = q - changes[i] * factors[i]
        r: Tensor = q * state["H_diag"]
        for i in range(len(changes)):
            r = r + steps[i] * (factors[i] - changes[i].dot(r) * inverses[i])
        return r

    # ------------------------------------------------------------------ the length

    def _go(self, loss: float, gradient: Tensor, slope: float, last: bool) -> tuple[float, Tensor]:
        """Move along the direction; return the loss and the gradient there (the old ones after the last move)."""
        state = self.state
        if self.group["line_search_fn"] is None:
            self._add(state["t"])
            if last:
                return loss, gradient
            loss = self._loss()
            self._count(1)
            return loss, self._gradient()
        places = [p.clone() for p in self.params]

        def evaluate(t: float) -> Point:
            self._add(t)
            value, there = self._loss(), self._gradient()
            for p, place in zip(self.params, places, strict=True):
                p.copy_(place)
            return Point(t, value, there, float(there.dot(state["d"])))

        start = Point(0.0, loss, gradient, slope)
        most = self.group["max_eval"] - self.evaluations
        found, looked = strong_wolfe(evaluate, state["t"], start, _largest(state["d"]), most)
        self._count(looked)
        state["t"] = found.t
        self._add(found.t)
        return found.value, found.gradient

    def _count(self, evaluations: int) -> None:
        self.evaluations += evaluations
        self.state["func_evals"] += evaluations

    def _loss(self) -> float:
        with enable_grad():
            return float(self.closure())

    def _gradient(self) -> Tensor:
        """All gradients as one vector; zeros for a parameter without one."""
        parts: Sequence[Tensor] = [
            p.new_zeros(p.numel()) if p.grad is None else p.grad.detach().reshape(-1) for p in self.params
        ]
        return ops.cat(list(parts)).clone()

    def _add(self, t: float) -> None:
        """Move all parameters along the direction."""
        start = 0
        for p in self.params:
            piece = self.state["d"][start : start + p.numel()]
            p.add_(piece.reshape(p.shape), alpha=t)
            start += p.numel()


def _largest(x: Tensor) -> float:
    """The largest magnitude."""
    return float(x.abs().max())
