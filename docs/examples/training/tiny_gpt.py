"""A small GPT: learns the text of Python's language reference letter by letter, then writes some of its own.

python tiny_gpt.py [--steps 400] [--device jax]
"""

import argparse
from pydoc_data import topics

import dovetail as torch
from dovetail import nn
from dovetail.nn import functional

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--device", default=None, help="numpy, jax, cupy:cuda, ...")
parser.add_argument("--letters", type=int, default=200, help="how much to write at the end")
options = parser.parse_args()

CONTEXT, WIDTH, HEADS, LAYERS = 32, 64, 4, 2
torch.manual_seed(0)
text = "\n".join(topics.topics[name] for name in sorted(topics.topics) if name != "conversions")
text = "".join(letter if letter.isalpha() or letter in ".," else " " for letter in text.lower() if letter.isascii())
text = " ".join(text.split())[:200_000]
alphabet = sorted(set(text))
number = {letter: i for i, letter in enumerate(alphabet)}
data = torch.tensor([number[letter] for letter in text])


class Block(nn.Module):
    """Attention to earlier letters, then a layer on each letter, both added to what came in (arXiv:1706.03762)."""

    def __init__(self) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(WIDTH)
        self.project = nn.Linear(WIDTH, 3 * WIDTH)
        self.combine = nn.Linear(WIDTH, WIDTH)
        self.before_layer = nn.LayerNorm(WIDTH)
        self.layer = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        parts = self.project(self.before_attention(x)).view(batch, length, 3, HEADS, WIDTH // HEADS)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.combine(seen.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.layer(self.before_layer(x))


class GPT(nn.Module):
    """Letters and their places to vectors, blocks, and a score for every next letter."""

    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.Embedding(len(alphabet), WIDTH)
        self.places = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH)
        self.scores = nn.Linear(WIDTH, len(alphabet), bias=False)
        for table in (self.letters, self.places):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        places = torch.arange(text.shape[1], device=text.device)
        return self.scores(self.norm(self.blocks(self.letters(text) + self.places(places))))


model = GPT().to(options.device)
print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(text):,} letters")
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)

for step in range(options.steps):
    starts = torch.randint(0, len(data) - CONTEXT - 1, (16, 1))
    window = data[starts + torch.arange(CONTEXT + 1)].to(options.device)
    scores = model(window[:, :-1])
    loss = functional.cross_entropy(scores.flatten(0, 1), window[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if (step + 1) % max(options.steps // 5, 1) == 0:
        print(f"step {step + 1}: loss {loss.item():.4f}")

model.eval()
written = data[:CONTEXT].unsqueeze(0).to(options.device)
with torch.no_grad():
    for _ in range(options.letters):
        likely = (model(written[:, -CONTEXT:])[:, -1] / 0.8).softmax(-1)
        written = torch.cat([written, torch.multinomial(likely, 1)], dim=1)
print("".join(alphabet[i] for i in written[0, CONTEXT:].tolist()))
