"""CUDA C of the kernels that do in one pass what their decomposition does in many.

A block of threads takes a row and adds up over it: in float64 for float32, with the rounding errors carried
along for float64, so that a sum keeps its bound at any length. No number of threads or blocks, and no order in
which they run, has a part in any result but through the order of these sums, which is fixed.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from dovetail_cupy.philox_source import ROUNDING, TYPES

FLOATS: Final = {"float32": "float", "float64": "double"}
WHOLE: Final = {
    "uint8": "unsigned char", "int8": "signed char", "uint16": "u16", "int16": "short",
    "uint32": "u32", "int32": "int", "uint64": "u64", "int64": "i64",
}  # fmt: skip
"""dtypes and what CUDA C calls them."""
BITS: Final = {1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64"}
"""What an element is taken for where its bits are only copied, by its size in bytes."""


@cache
def source() -> str:
    """Return the CUDA source of all fused kernels."""
    parts = [TYPES, ROUNDING, _SUMS, _HALVES]
    for name, kind in FLOATS.items():
        mine = {"name": name, "T": kind, "Total": "Carried" if name == "float64" else "Plain", "A": "double"}
        parts += [text % mine for text in (_SOFTMAX, _LAYER_NORM, _STEPS, _SEGMENTS)]
    parts += [_SEGMENTS % {"name": name, "T": kind, "A": "i64"} for name, kind in WHOLE.items()]
    parts += [_COPIES % {"name": name, "T": WHOLE[name]} for name in BITS.values()]
    return "\n".join(parts)


_SUMS = """\
#define ROWS(row, rows) for (i64 row = blockIdx.x; row < (rows); row += gridDim.x)
#define ALONG(k, n) for (i64 k = threadIdx.x; k < (n); k += blockDim.x)

/* Rows of n elements that lie `inner` apart. */
__device__ i64 first_of_row(i64 row, i64 n, i64 inner) { return row / inner * n * inner + row % inner; }

/* One thread's part of a sum of float32: float64 has bits to spare. */
struct Plain {
    double sum;
    __device__ Plain() : sum(0) {}
    __device__ void add(double x) { sum = __dadd_rn(sum, x); }
    __device__ double total() const { return sum; }
};

/* The same of float64: what each addition loses is added up beside it (A. Neumaier, ZAMM 54, 1974). */
struct Carried {
    double sum, lost;
    __device__ Carried() : sum(0), lost(0) {}
    __device__ void add(double x) {
        const double next = __dadd_rn(sum, x);
        const bool larger = (sum < 0 ? -sum : sum) >= (x < 0 ? -x : x);
        const double big = larger ? sum : x, small = larger ? x : sum;
        const double error = __dadd_rn(__dadd_rn(big, -next), small);
        if (error == error) lost = __dadd_rn(lost, error);             /* not of infinities */
        sum = next;
    }
    __device__ double total() const { return __dadd_rn(sum, lost); }
};

/* What all threads of a block have, added up in a tree. */
__device__ double over_block(double x) {
    __shared__ double box[1024];
    box[threadIdx.x] = x;
    __syncthreads();
    for (u32 half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) box[threadIdx.x] = __dadd_rn(box[threadIdx.x], box[threadIdx.x + half]);
        __syncthreads();
    }
    const double total = box[0];
    __syncthreads();
    return total;
}

/* The largest of what all threads have; NaN is passed over here and shows in the sum. */
__device__ double largest_of_block(double x) {
    __shared__ double box[1024];
    box[threadIdx.x] = x;
    __syncthreads();
    for (u32 half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half && box[threadIdx.x + half] > box[threadIdx.x]) {
            box[threadIdx.x] = box[threadIdx.x + half];
        }
        __syncthreads();
    }
    const double found = box[0];
    __syncthreads();
    return found;
}

__device__ float root(float x) { return __fsqrt_rn(x); }
__device__ double root(double x) { return __dsqrt_rn(x); }
__device__ float power_of_e(float x) { return expf(x); }
__device__ double power_of_e(double x) { return exp(x); }
"""

_HALVES = """\
extern "C" __global__ void to_float16(const double* x, u16* out, i64 n) { EACH(i, n) out[i] = to_float16(x[i]); }
extern "C" __global__ void to_bfloat16(const double* x, u16* out, i64 n) { EACH(i, n) out[i] = to_bfloat16(x[i]); }
"""

_SOFTMAX = """\
__device__ double largest_%(name)s(const %(T)s* x, i64 n, i64 inner) {
    double found = -__longlong_as_double(0x7ff0000000000000LL);         /* minus infinity */
    ALONG(k, n) if (x[k * inner] > found) found = x[k * inner];
    return largest_of_block(found);
}

__device__ double powers_%(name)s(const %(T)s* x, %(T)s largest, i64 n, i64 inner) {
    %(Total)s total;
    ALONG(k, n) total.add(power_of_e(x[k * inner] - largest));
    return over_block(total.total());
}

extern "C" __global__ void softmax_%(name)s(const %(T)s* from, %(T)s* to, i64 n, i64 inner, i64 rows) {
    ROWS(row, rows) {
        const i64 first = first_of_row(row, n, inner);
        const %(T)s* x = from + first;
        const %(T)s largest = largest_%(name)s(x, n, inner);
        const %(T)s sum = powers_%(name)s(x, largest, n, inner);
        ALONG(k, n) to[first + k * inner] = power_of_e(x[k * inner] - largest) / sum;
    }
}

extern "C" __global__ void log_softmax_%(name)s(const %(T)s* from, %(T)s* to, i64 n, i64 inner, i64 rows) {
    ROWS(row, rows) {
        const i64 first = first_of_row(row, n, inner);
        const %(T)s* x = from + first;
        const %(T)s largest = largest_%(name)s(x, n, inner);
        const %(T)s logarithm = log(powers_%(name)s(x, largest, n, inner));
        ALONG(k, n) to[first + k * inner] = (x[k * inner] - largest) - logarithm;
    }
}

extern "C" __global__ void softmax_backward_%(name)s(
    const %(T)s* g, const %(T)s* y, %(T)s* to, i64 n, i64 inner, i64 rows) {
    ROWS(row, rows) {
        const i64 first = first_of_row(row, n, inner);
        %(Total)s total;
        ALONG(k, n) total.add((%(T)s)(g[first + k * inner] * y[first + k * inner]));
        const %(T)s sum = over_block(total.total());
        ALONG(k, n) to[first + k * inner] = y[first + k * inner] * (g[first + k * inner] - sum);
    }
}

extern "C" __global__ void log_softmax_backward_%(name)s(
    const %(T)s* g, const %(T)s* y, %(T)s* to, i64 n, i64 inner, i64 rows) {
    ROWS(row, rows) {
        const i64 first = first_of_row(row, n, inner);
        %(Total)s total;
        ALONG(k, n) total.add(g[first + k * inner]);
        const %(T)s sum = over_block(total.total());
        ALONG(k, n) to[first + k * inner] = g[first + k * inner] - power_of_e(y[first + k * inner]) * sum;
    }
}
"""

_LAYER_NORM = """\
/* weight and bias may be null. mean and rstd have one number per row. */
extern "C" __global__ void layer_norm_%(name)s(
    const %(T)s* from, const %(T)s* weight, const %(T)s* bias, %(T)s* to, %(T)s* mean, %(T)s* rstd,
    double eps, i64 n, i64 rows) {
    ROWS(row, rows) {
        const %(T)s* x = from + row * n;
        %(Total)s total;
        ALONG(k, n) total.add(x[k]);
        const double middle = __ddiv_rn(over_block(total.total()), (double)n);
        %(Total)s squares;
        ALONG(k, n) {
            const double away = __dadd_rn(x[k], -middle);
            squares.add(__dmul_rn(away, away));
        }
        const double variance = __ddiv_rn(over_block(squares.total()), (double)n);
        const double scale = __ddiv_rn(1.0, __dsqrt_rn(__dadd_rn(variance, eps)));
        if (threadIdx.x == 0) {
            mean[row] = middle;
            rstd[row] = scale;
        }
        ALONG(k, n) {
            %(T)s y = __dmul_rn(__dadd_rn(x[k], -middle), scale);
            if (weight) y = y * weight[k];
            if (bias) y = y + bias[k];
            to[row * n + k] = y;
        }
    }
}

/* The gradient of the input: r (h - mean(h) - n mean(h n)) with h = g w and the normalised input n. */
extern "C" __global__ void layer_norm_backward_%(name)s(
    const %(T)s* g, const %(T)s* from, const %(T)s* weight, const %(T)s* mean, const %(T)s* rstd, %(T)s* to,
    i64 n, i64 rows) {
    ROWS(row, rows) {
        const %(T)s* x = from + row * n;
        const double middle = mean[row], scale = rstd[row];
        %(Total)s plain, along;
        ALONG(k, n) {
            const double normal = __dmul_rn(__dadd_rn(x[k], -middle), scale);
            const double h = weight ? __dmul_rn(g[row * n + k], weight[k]) : (double)g[row * n + k];
            plain.add(h);
            along.add(__dmul_rn(h, normal));
        }
        const double average = __ddiv_rn(over_block(plain.total()), (double)n);
        const double slope = __ddiv_rn(over_block(along.total()), (double)n);
        ALONG(k, n) {
            const double normal = __dmul_rn(__dadd_rn(x[k], -middle), scale);
            const double h = weight ? __dmul_rn(g[row * n + k], weight[k]) : (double)g[row * n + k];
            const double rest = __dadd_rn(__dadd_rn(h, -average), -__dmul_rn(normal, slope));
            to[row * n + k] = __dmul_rn(rest, scale);
        }
    }
}
"""

_STEPS = """\
/* numbers (learning rate, momentum, dampening, weight decay) lie on the device, so that no step waits for the host.
   buffer may be null. */
extern "C" __global__ void sgd_step_%(name)s(
    %(T)s* param, const %(T)s* grad, %(T)s* buffer, const double* numbers, bool nesterov, bool decayed, bool maximize,
    i64 n) {
    const %(T)s rate = numbers[0], keep = numbers[1], add = 1 - numbers[2], pull = numbers[3];
    EACH(i, n) {
        %(T)s g = maximize ? -grad[i] : grad[i];
        if (decayed) g = g + param[i] * pull;
        if (buffer) {
            const %(T)s velocity = buffer[i] * keep + g * add;
            buffer[i] = velocity;
            g = nesterov ? g + velocity * keep : velocity;
        }
        param[i] = param[i] - g * rate;
    }
}

/* numbers: learning rate, beta1, beta2, eps, weight decay; step counts from 1. largest may be null.
   eps stands outside the root; both sides of the fraction are multiplied by `correction`. */
extern "C" __global__ void adam_step_%(name)s(
    %(T)s* param, const %(T)s* grad, %(T)s* mean, %(T)s* square, %(T)s* largest, const double* numbers,
    const double* step, bool decayed, bool decoupled, bool maximize, i64 n) {
    __shared__ double common[3];
    const double lr = numbers[0], beta1 = numbers[1], beta2 = numbers[2];
    if (threadIdx.x == 0) {
        const double correction = __dsqrt_rn(1 - pow(beta2, *step));
        common[0] = -lr * correction / (1 - pow(beta1, *step));
        common[1] = correction * numbers[3];
        common[2] = 1 - lr * numbers[4];
    }
    __syncthreads();
    const %(T)s size = common[0], least = common[1], kept = common[2], pull = numbers[4];
    const %(T)s first = 1 - beta1, second = 1 - beta2, second_kept = beta2;
    EACH(i, n) {
        %(T)s p = param[i], g = maximize ? -grad[i] : grad[i];
        if (decayed && decoupled) p = p * kept;
        if (decayed && !decoupled) g = g + p * pull;
        const %(T)s m = mean[i] + (g - mean[i]) * first;
        %(T)s v = square[i] * second_kept + g * g * second;
        mean[i] = m;
        square[i] = v;
        if (largest) {
            if (!(largest[i] >= v) && largest[i] == largest[i]) largest[i] = v;
            v = largest[i];
        }
        param[i] = p + m * size / (root(v) + least);
    }
}
"""

_SEGMENTS = """\
/* `places` are sorted and `order` says which row each belongs to; a row has `width` elements. The first thread of
   a run of equal places adds up all its rows, so that no two threads write to one element. A place beyond `limit`
   is left out: that it is wrong is told when the device is next waited for, and until then nothing may break. */
extern "C" __global__ void segment_sum_%(name)s(
    const i64* places, const i64* order, const %(T)s* rows, %(T)s* out, i64 width, i64 count, i64 limit, i64 n) {
    EACH(i, n) {
        const i64 at = i / width, column = i %% width;
        if (places[at] < 0 || places[at] >= limit || (at > 0 && places[at - 1] == places[at])) continue;
        %(A)s total = 0;
        for (i64 k = at; k < count && places[k] == places[at]; ++k) total += rows[order[k] * width + column];
        out[places[at] * width + column] = (%(T)s)((%(A)s)out[places[at] * width + column] + total);
    }
}
"""

_COPIES = """\
/* Of equal places the last one counts. */
extern "C" __global__ void segment_last_%(name)s(
    const i64* places, const i64* order, const %(T)s* rows, %(T)s* out, i64 width, i64 count, i64 limit, i64 n) {
    EACH(i, n) {
        const i64 at = i / width, column = i %% width;
        if (places[at] < 0 || places[at] >= limit || (at + 1 < count && places[at + 1] == places[at])) continue;
        out[places[at] * width + column] = rows[order[at] * width + column];
    }
}
"""
