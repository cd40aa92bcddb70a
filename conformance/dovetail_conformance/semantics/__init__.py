"""The rows of the shared semantics as data: what every backend answers, read off PyTorch unless said otherwise."""
