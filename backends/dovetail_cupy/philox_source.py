"""CUDA C of the random-number kernels, with the constants of `dovetail.backend.streams` written into it.

The text includes no header and uses only intrinsics that every version of NVRTC has. Products and sums of
float64 are the ``_rn`` intrinsics, which are never contracted: no option of the compiler changes a result.
"""

from __future__ import annotations

from collections.abc import Sequence

from dovetail.backend import streams

KERNELS = (
    "words32", "words64", "below", "randint",
    "normal_float64", "normal_float32", "normal_float16", "normal_bfloat16",
    "uniform_float64", "uniform_float32", "uniform_float16", "uniform_bfloat16",
)  # fmt: skip
"""The entry points of the source."""


def source() -> str:
    """Return the CUDA source of all kernels.

    >>> all(f"void {name}(" in source() for name in KERNELS)
    True
    """
    return "\n".join([TYPES, _philox(), _WORDS, ROUNDING, _quantile(), *_distributions()])


def _double(x: float) -> str:
    return f"{float(x).hex()}"


def _table(name: str, coefficients: Sequence[float]) -> str:
    values = ", ".join(_double(c) for c in coefficients)
    return f"__device__ const double {name}[{len(coefficients)}] = {{{values}}};"


TYPES = """\
typedef unsigned long long u64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef long long i64;

#define EACH(i, n) \\
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < (n); i += (i64)gridDim.x * blockDim.x)
"""


def _philox() -> str:
    (m0, m1), (w0, w1) = streams.PHILOX_MULTIPLIERS, streams.PHILOX_WEYL
    return f"""\
__device__ void philox(u64 c[4], u64 k0, u64 k1) {{
    for (int round = 0; round < {streams.PHILOX_ROUNDS}; ++round) {{
        const u64 high0 = __umul64hi({m0:#x}ULL, c[0]), low0 = {m0:#x}ULL * c[0];
        const u64 high1 = __umul64hi({m1:#x}ULL, c[2]), low1 = {m1:#x}ULL * c[2];
        c[0] = high1 ^ c[1] ^ k0;
        c[1] = low1;
        c[2] = high0 ^ c[3] ^ k1;
        c[3] = low0;
        k0 += {w0:#x}ULL;
        k1 += {w1:#x}ULL;
    }}
}}

/* state = [seed, stream, offset]; block b of the draw has the 256-bit counter offset + 1 + b. */
__device__ void block_of_draw(const u64* state, i64 b, u64 c[4]) {{
    c[0] = state[2] + 1 + (u64)b;
    c[1] = c[0] < state[2];
    c[2] = 0;
    c[3] = 0;
    philox(c, state[0], state[1]);
}}
"""


_WORDS = """\
extern "C" __global__ void words64(const u64* state, u64* out, i64 n) {
    EACH(b, (n + 3) / 4) {
        u64 c[4];
        block_of_draw(state, b, c);
        for (int j = 0; j < 4 && 4 * b + j < n; ++j) out[4 * b + j] = c[j];
    }
}

extern "C" __global__ void words32(const u64* state, u32* out, i64 n) {
    EACH(b, (n + 7) / 8) {
        u64 c[4];
        block_of_draw(state, b, c);
        for (int j = 0; j < 8 && 8 * b + j < n; ++j) out[8 * b + j] = (u32)(c[j / 2] >> (32 * (j % 2)));
    }
}

/* A threshold of 2^32 is above every word. */
extern "C" __global__ void below(const u32* words, bool* out, u64 threshold, i64 n) {
    EACH(i, n) out[i] = words[i] < threshold;
}

/* span 0 stands for 2^64; the sum is taken modulo 2^64. */
extern "C" __global__ void randint(const u64* words, i64* out, u64 span, i64 low, i64 n) {
    EACH(i, n) out[i] = (i64)((u64)low + (span == 0 ? words[i] : __umul64hi(words[i], span)));
}
"""

ROUNDING = """\
/* float64 to 16 bits in one rounding: to odd in the 24 bits of a float32, then to nearest even. */
__device__ u32 odd_float32(double x) {
    const float f = __double2float_rz(x);
    return __float_as_uint(f) | ((double)f != x);
}

__device__ u16 to_bfloat16(double x) {
    const u32 b = odd_float32(x);
    if (x != x) return (u16)((b >> 16) | 0x40);                        /* a NaN stays one */
    return (u16)((b + 0x7fff + ((b >> 16) & 1)) >> 16);
}

__device__ u16 to_float16(double x) {
    const u32 b = odd_float32(x), sign = (b >> 16) & 0x8000, size = b & 0x7fffffff;
    if (x != x) return (u16)(sign | 0x7e00);
    if (size >= 0x47800000) return (u16)(sign | 0x7c00);               /* 65536 and more */
    if (size >= 0x38800000) {                                          /* 2^-14 and more: normal */
        const u32 rebased = size - 0x38000000;
        return (u16)(sign | ((rebased + 0xfff + ((rebased >> 13) & 1)) >> 13));
    }
    if (size < 0x33000000) return (u16)sign;                           /* less than half of 2^-24 */
    const u32 mantissa = (size & 0x7fffff) | 0x800000, shift = 126 - (size >> 23);
    const u32 whole = mantissa >> shift, rest = mantissa & ((1u << shift) - 1), half = 1u << (shift - 1);
    return (u16)(sign | (whole + (rest > half || (rest == half && (whole & 1)))));
}

__device__ float to_float32(double x) { return __double2float_rn(x); }
__device__ double to_float64(double x) { return x; }
"""


def _quantile() -> str:
    parts = {"CENTRAL": streams.CENTRAL, "NEAR": streams.NEAR, "FAR": streams.FAR}
    tables = [
        _table(f"{name}_{place}", coefficients)
        for name, both in parts.items()
        for place, coefficients in zip(("ABOVE", "UNDER"), both)
    ]
    return "\n".join([*tables, _table("LOG_SERIES", streams.LOG_SERIES), _QUANTILE_FUNCTIONS]) % {
        "sqrt_half_bits": f"{_bits(streams.SQRT_HALF):#x}LL",
        "ln2_high": _double(streams.LN2_HIGH),
        "ln2_low": _double(streams.LN2_LOW),
        "central_edge": _double(streams.CENTRAL_EDGE),
        "central_shift": _double(streams.CENTRAL_SHIFT),
        "near_shift": _double(streams.NEAR_SHIFT),
        "far_edge": _double(streams.FAR_EDGE),
        "far_shift": _double(streams.FAR_SHIFT),
    }


def _bits(x: float) -> int:
    """Return the bits of a float64 as an integer."""
    mantissa, exponent = x.hex().removeprefix("0x1.").split("p")
    return (int(exponent) + 1023) << 52 | int(mantissa.ljust(13, "0"), 16)


_QUANTILE_FUNCTIONS = """
__device__ double horner(double x, const double* c, int n) {
    double total = c[n - 1];
    for (int k = n - 2; k >= 0; --k) total = __dadd_rn(__dmul_rn(total, x), c[k]);
    return total;
}

__device__ double ratio(double x, const double* above, const double* under) {
    return __ddiv_rn(horner(x, above, 8), horner(x, under, 8));
}

/* -log(p), exponent and mantissa in [sqrt(1/2), sqrt(2)) taken from the bits of p. */
__device__ double minus_log(double p) {
    const i64 bits = __double_as_longlong(p);
    const i64 exponent = (bits - %(sqrt_half_bits)s) >> 52;
    const double m = __longlong_as_double(bits - exponent * (1LL << 52)), e = (double)exponent;
    const double s = __ddiv_rn(__dadd_rn(m, -1.0), __dadd_rn(m, 1.0));
    double fraction = __dmul_rn(s, horner(__dmul_rn(s, s), LOG_SERIES, 8));
    fraction = __dadd_rn(fraction, __dmul_rn(e, %(ln2_low)s));
    return -__dadd_rn(fraction, __dmul_rn(e, %(ln2_high)s));
}

/* The normal quantile of q + 1/2. */
__device__ double quantile(double q) {
    const double size = q < 0 ? -q : q;
    if (size <= %(central_edge)s) {
        const double x = __dadd_rn(%(central_shift)s, -__dmul_rn(q, q));
        return __dmul_rn(q, ratio(x, CENTRAL_ABOVE, CENTRAL_UNDER));
    }
    const double r = __dsqrt_rn(minus_log(__dadd_rn(0.5, -size)));
    const double value = r > %(far_edge)s
        ? ratio(__dadd_rn(r, -%(far_shift)s), FAR_ABOVE, FAR_UNDER)
        : ratio(__dadd_rn(r, -%(near_shift)s), NEAR_ABOVE, NEAR_UNDER);
    return q < 0 ? -value : value;
}

/* u - 1/2 for the word's fraction u; every step is exact. */
__device__ double centred(u32 w) { return __dadd_rn(__dmul_rn((double)w, 0x1p-32), 0x1p-33 - 0.5); }
__device__ double centred(u64 w) {
    return __dadd_rn(__dadd_rn(__dmul_rn((double)(w >> 11), 0x1p-53), -0.5), 0x1p-54);
}

__device__ double transformed(double x, double scale, double shift, bool wanted) {
    return wanted ? __dadd_rn(__dmul_rn(x, scale), shift) : x;
}
"""

_DISTRIBUTIONS = """\
extern "C" __global__ void normal_%(name)s(
    const %(word)s* words, %(out)s* out, double scale, double shift, bool wanted, i64 n) {
    EACH(i, n) out[i] = to_%(name)s(transformed(quantile(centred(words[i])), scale, shift, wanted));
}

extern "C" __global__ void uniform_%(name)s(
    const %(word)s* words, %(out)s* out, double scale, double shift, bool wanted, i64 n) {
    EACH(i, n) {
        const double u = __dmul_rn((double)(words[i] >> %(drop)d), 0x1p-%(bits)d);
        out[i] = to_%(name)s(transformed(u, scale, shift, wanted));
    }
}
"""


def _distributions() -> list[str]:
    held_in = {"float64": "double", "float32": "float", "float16": "u16", "bfloat16": "u16"}
    kernels = []
    for name, bits in streams.UNIFORM_BITS.items():
        width = streams.word_width(name)
        fields = {"name": name, "word": f"u{width}", "out": held_in[name], "drop": width - bits, "bits": bits}
        kernels.append(_DISTRIBUTIONS % fields)
    return kernels
