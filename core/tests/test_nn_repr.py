"""The printed form, the keys of the state dict and the constructor of every layer are PyTorch's."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from dovetail import nn

torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
pytestmark = pytest.mark.oracle

EXAMPLES = [
    "Linear(3, 2)",
    "Linear(3, 2, bias=False)",
    "Bilinear(2, 3, 4)",
    "Bilinear(2, 3, 4, False)",
    "Identity()",
    "Identity(1, a=2)",
    "Flatten()",
    "Flatten(0, 1)",
    "Unflatten(1, (2, 3))",
    "Conv2d(3, 4, 3)",
    "Conv2d(4, 8, (3, 5), stride=2, padding=(1, 2), dilation=2, groups=2, bias=False)",
    "Conv2d(3, 4, 3, padding='same', padding_mode='reflect')",
    "Conv2d(3, 4, 3, padding='valid')",
    "Conv1d(4, 6, 3, padding=1, groups=2)",
    "Conv1d(2, 4, (3,), padding='same', bias=False)",
    "Conv3d(4, 6, (1, 2, 3), 2, (0, 1, 2), 2, 2, False)",
    "Conv3d(2, 3, 2, padding='same', padding_mode='circular')",
    "ConvTranspose1d(4, 6, 3, 2, 1, 1, 2, False, 2)",
    "ConvTranspose2d(3, 4, (2, 3), stride=2, output_padding=(1, 0))",
    "ConvTranspose3d(3, 4, 2)",
    "MaxPool1d(2)",
    "AvgPool1d(2)",
    "AvgPool1d((3,), 2, 1, True, False)",
    "RMSNorm(3)",
    "RMSNorm((2, 3), 1e-3, False)",
    "GroupNorm(2, 4)",
    "GroupNorm(2, 4, 1e-3, bias=False)",
    "GroupNorm(2, 4, affine=False)",
    "MaxPool2d(2)",
    "MaxPool2d((2, 3), 1, 1, 2, True, True)",
    "AvgPool2d(2)",
    "AvgPool2d((2, 3), 1, 1, True, False, 3)",
    "AdaptiveAvgPool2d(1)",
    "AdaptiveAvgPool2d((None, 3))",
    "MaxPool3d((1, 2, 3), ceil_mode=True)",
    "AvgPool3d(2, (1, 2, 2), 1)",
    "AdaptiveAvgPool1d(3)",
    "AdaptiveAvgPool3d((None, 2, 1))",
    "AdaptiveMaxPool1d(3, True)",
    "AdaptiveMaxPool2d((2, None))",
    "AdaptiveMaxPool3d(2)",
    "MaxUnpool1d(2)",
    "MaxUnpool2d((2, 3), 2, (1, 0))",
    "MaxUnpool3d(2, padding=1)",
    "LPPool1d(2, 3)",
    "LPPool2d(1.5, (2, 3), 1, True)",
    "LPPool3d(2, 2)",
    "FractionalMaxPool2d(2, 3)",
    "FractionalMaxPool3d((2, 2, 3), output_ratio=0.5, return_indices=True)",
    "ConstantPad1d(2, 2.5)",
    "ConstantPad2d((1, 2, 0, 3), 2.5)",
    "ConstantPad3d(1, 2.5)",
    "ZeroPad1d(2)",
    "ZeroPad2d((1, 2, 0, 3))",
    "ZeroPad3d(1)",
    "ReflectionPad1d(2)",
    "ReflectionPad2d((1, 2, 0, 3))",
    "ReflectionPad3d(1)",
    "ReplicationPad1d(2)",
    "ReplicationPad2d((1, 2, 0, 3))",
    "ReplicationPad3d(1)",
    "CircularPad1d(2)",
    "CircularPad2d((1, 2, 0, 3))",
    "CircularPad3d(1)",
    "PixelShuffle(2)",
    "PixelUnshuffle(3)",
    "ChannelShuffle(2)",
    "Fold((4, 5), 2)",
    "Fold(4, (2, 3), 2, (1, 0), (2, 1))",
    "Unfold(2)",
    "Unfold((2, 3), 2, (1, 0), 2)",
    "Upsample(5)",
    "Upsample((4, 5), mode='bilinear', align_corners=True)",
    "Upsample(scale_factor=2)",
    "Upsample(None, (2, 1.5), 'bicubic')",
    "UpsamplingNearest2d(scale_factor=3)",
    "UpsamplingBilinear2d((4, 5))",
    "BatchNorm1d(3)",
    "BatchNorm2d(3, 1e-3, None, False, False)",
    "BatchNorm2d(3, bias=False)",
    "BatchNorm3d(3, affine=False)",
    "LayerNorm(3)",
    "LayerNorm((2, 3), 1e-3, False)",
    "LayerNorm([2, 3], bias=False)",
    "Embedding(5, 3)",
    "Embedding(5, 3, -1, 2.0, 1.0, True, True)",
    "Dropout()",
    "Dropout(0.1, True)",
    "Dropout1d()",
    "Dropout2d(0.2)",
    "Dropout3d()",
    "AlphaDropout()",
    "FeatureAlphaDropout()",
    "ReLU()",
    "ReLU(True)",
    "ReLU6()",
    "ReLU6(True)",
    "LeakyReLU()",
    "LeakyReLU(0.2, True)",
    "PReLU()",
    "PReLU(3, 0.1)",
    "RReLU()",
    "RReLU(0.1, 0.2, True)",
    "ELU()",
    "ELU(2.0, True)",
    "CELU()",
    "CELU(2.0, True)",
    "SELU()",
    "SELU(True)",
    "GELU()",
    "GELU('tanh')",
    "SiLU()",
    "SiLU(True)",
    "Mish()",
    "Mish(True)",
    "Sigmoid()",
    "Tanh()",
    "Hardtanh()",
    "Hardtanh(-2, 2, True)",
    "Hardsigmoid()",
    "Hardsigmoid(True)",
    "Hardswish(True)",
    "Softplus()",
    "Softplus(2, 10)",
    "Softsign()",
    "Tanhshrink()",
    "Hardshrink()",
    "Hardshrink(1)",
    "Softshrink()",
    "Threshold(0.1, 20)",
    "Threshold(0.1, 20, True)",
    "LogSigmoid()",
    "GLU()",
    "GLU(1)",
    "Softmax()",
    "Softmax(1)",
    "LogSoftmax(-1)",
    "Softmin(0)",
    "Softmax2d()",
    "L1Loss()",
    "MSELoss(reduction='sum')",
    "SmoothL1Loss(beta=2)",
    "HuberLoss(delta=2)",
    "NLLLoss()",
    "CrossEntropyLoss(label_smoothing=0.1)",
    "BCELoss()",
    "BCEWithLogitsLoss()",
    "KLDivLoss()",
    "RNN(2, 3)",
    "LSTM(2, 3, 2, bidirectional=True, batch_first=True)",
    "LSTM(2, 4, proj_size=3)",
    "GRU(2, 3, dropout=0.5, num_layers=2, bias=False)",
    "RNNCell(2, 3, nonlinearity='relu')",
    "LSTMCell(2, 3)",
    "GRUCell(2, 3, bias=False)",
    "MultiheadAttention(4, 2)",
    "MultiheadAttention(4, 2, kdim=3, vdim=5, bias=False, add_bias_kv=True)",
    "TransformerEncoderLayer(4, 2, 8)",
    "TransformerDecoderLayer(4, 2, 8, norm_first=True)",
    "TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2)",
    "TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8), 1)",
    "Transformer(4, 2, 1, 1, 8)",
    "LazyLinear(3, bias=False)",
    "LazyConv1d(3, 2, padding=1)",
    "LazyConv2d(4, 3, bias=False, groups=2)",
    "LazyConv3d(4, 3)",
    "LazyConvTranspose1d(3, 2)",
    "LazyConvTranspose2d(4, 3, stride=2, output_padding=1)",
    "LazyConvTranspose3d(4, 3)",
    "LazyBatchNorm1d()",
    "LazyBatchNorm2d(affine=False)",
    "LazyBatchNorm3d(track_running_stats=False)",
    "LazyInstanceNorm1d()",
    "LazyInstanceNorm2d(bias=False)",
    "LazyInstanceNorm3d()",
    "InstanceNorm1d(3)",
    "InstanceNorm2d(3, affine=True, track_running_stats=True)",
    "InstanceNorm3d(3, affine=True, bias=False)",
    "SyncBatchNorm(3)",
    "LocalResponseNorm(2)",
    "CrossMapLRN2d(2, k=2)",
    "EmbeddingBag(5, 3)",
    "EmbeddingBag(5, 3, max_norm=1.0, norm_type=1.0, scale_grad_by_freq=True, mode='sum', padding_idx=-1)",
    "MarginRankingLoss(0.5)",
    "CosineEmbeddingLoss()",
    "HingeEmbeddingLoss()",
    "SoftMarginLoss()",
    "MultiLabelMarginLoss()",
    "MultiLabelSoftMarginLoss()",
    "MultiMarginLoss(p=2)",
    "TripletMarginLoss(2.0, swap=True)",
    "TripletMarginWithDistanceLoss()",
    "PoissonNLLLoss()",
    "GaussianNLLLoss()",
    "CTCLoss()",
    "LinearCrossEntropyLoss(4, 3, bias=True)",
    "AdaptiveLogSoftmaxWithLoss(16, 10, [3, 6], head_bias=True)",
    "PairwiseDistance()",
    "CosineSimilarity()",
    "Sequential(nn.Linear(1, 2), nn.Sequential(nn.ReLU()))",
    "ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh()])",
    "DataParallel(nn.ReLU())",
    "ModuleDict({'a': nn.ReLU(), 'b': nn.Sequential(nn.Tanh())})",
]


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
@pytest.mark.parametrize("text", EXAMPLES)
def test_repr_and_keys(text: str) -> None:
    ours: Any = eval("nn." + text, {"nn": nn})
    theirs: Any = eval("nn." + text, {"nn": torch.nn})
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    if not text.startswith("Lazy"):
        assert {k: tuple(v.shape) for k, v in ours.state_dict().items()} == {
            k: tuple(v.shape) for k, v in theirs.state_dict().items()
        }
    assert [(n, p.requires_grad) for n, p in ours.named_parameters()] == [
        (n, p.requires_grad) for n, p in theirs.named_parameters()
    ]
    assert {k: str(v.dtype).split(".")[1] for k, v in ours.state_dict().items()} == {
        k: str(v.dtype).split(".")[1] for k, v in theirs.state_dict().items()
    }


BASES = {"RNNBase", "RNNCellBase"}
"""Public, but nothing by themselves."""


def names() -> list[str]:
    return sorted({text.partition("(")[0] for text in EXAMPLES})


@pytest.mark.parametrize("name", names())
def test_the_constructor_takes_pytorchs_arguments(name: str) -> None:
    ours = inspect.signature(getattr(nn, name).__init__).parameters
    theirs = inspect.signature(getattr(torch.nn, name).__init__).parameters
    # A default that is a function is the framework's own.
    described, expected = (
        [(p.name, p.kind, getattr(p.default, "__name__", p.default)) for p in side.values()] for side in (ours, theirs)
    )
    assert described == expected


def test_every_layer_has_an_example() -> None:
    public = {
        name
        for name, value in vars(nn).items()
        if isinstance(value, type) and issubclass(value, nn.Module) and value is not nn.Module
    }
    # NLLLoss2d and Container warn when they are made: former names of NLLLoss and Module.
    assert public - set(names()) == BASES | {"ParameterList", "ParameterDict", "NLLLoss2d", "Container"}


def test_parameter_containers() -> None:
    def built(framework: Any) -> list[str]:
        values = [framework.ones(2, 3), framework.nn.Parameter(framework.ones(1)), 3]
        return [
            repr(framework.nn.ParameterList(values)).replace(framework.__name__, "torch"),
            repr(framework.nn.ParameterDict(zip("abc", values))).replace(framework.__name__, "torch"),
        ]

    import dovetail

    assert built(dovetail) == built(torch)
