"""An LSTM that reads text character by character and tells prose from program.

The texts ship with Python: the prose is the language reference (`pydoc_data.topics`), the programs are modules of the
standard library.

    python text_lstm.py [--steps 300] [--device jax]
"""

import argparse
import inspect

import dovetail as torch
from dovetail import nn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=300)
parser.add_argument("--device", default=None, help="numpy, jax, cupy:cuda, ...")
options = parser.parse_args()


def texts() -> list[str]:
    """The prose and the programs, plain characters only."""
    import textwrap as program
    from pydoc_data import topics

    prose = "\n".join(topics.topics[name] for name in ("assignment", "class", "import", "objects", "with"))
    return [
        t.encode("ascii", "ignore").decode() for t in (prose, inspect.getsource(argparse) + inspect.getsource(program))
    ]


LENGTH = 32
torch.manual_seed(0)
codes = [torch.tensor(list(text.encode())) for text in texts()]


def batch(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Snippets of 32 characters, half of each kind, and which kind they are."""
    rows, kinds = [], []
    for kind, text in enumerate(codes):
        starts = torch.randint(0, len(text) - LENGTH, (size // 2, 1))
        rows.append(text[starts + torch.arange(LENGTH)])
        kinds.append(torch.full((size // 2,), float(kind)))
    return torch.cat(rows).to(options.device), torch.cat(kinds).to(options.device)


class Reader(nn.Module):
    """Characters to vectors, an LSTM over them, and a decision from its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.Embedding(128, 16)
        self.memory = nn.LSTM(16, 32, batch_first=True)
        self.decide = nn.Linear(32, 1)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        _, (state, _) = self.memory(self.letters(text))
        return self.decide(state[-1]).squeeze(1)


model = Reader().to(options.device)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
held_out = batch(256)

total = 0.0
every = max(options.steps // 5, 1)
for step in range(options.steps):
    text, kind = batch(32)
    loss = nn.functional.binary_cross_entropy_with_logits(model(text), kind)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    total += loss.item()
    if (step + 1) % every == 0:
        with torch.no_grad():
            right = ((model(held_out[0]) > 0) == (held_out[1] > 0)).float().mean()
        print(f"step {step + 1}: loss {total / every:.4f}, {100 * right.item():.1f} % of 256 snippets told apart")
        total = 0.0
