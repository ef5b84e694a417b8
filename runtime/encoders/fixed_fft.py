"""Power spectra in fixed point: the real FFT that firmware computes, in integers.

N is a power of two. The sine table holds sin(2 pi q / N) in 1/16384, q = 0 to 3 N / 4, so that
cos(2 pi q / N) is entry q + N / 4. `>>` rounds down, and round14(x) = (x + 8192) >> 14.

A real sequence x[0..N-1] is transformed as N / 2 complex numbers z[n] = x[2n] + i x[2n + 1]:

1. z is put in bit-reversed order. For m = 1, 2, 4, ..., N / 4, each pair a, b of indices j and
   j + m of a block of 2m, with (c, s) the cosine and sine of q = j N / (2m), becomes a + t, a - t:
   t = round14(c Re b + s Im b) + i round14(c Im b - s Re b).
2. Bin k of 2X, with (c, s) of q = k, e = Z[k] + conj Z[M - k], o = Z[k] - conj Z[M - k] and
   M = N / 2, indices taken modulo M, is
   2X[k] = e + round14(c Im o - s Re o) + i round14(-c Re o - s Im o).
3. The power is (Re 2X)^2 + (Im 2X)^2, shifted right by 2 log2(N) - 16 bits if that is positive.

With |x| <= 2^18 and N <= 2048 every number of steps 1 and 2 fits 32 bits, and the sum of all powers
is below 2^54.
"""

import numpy as np
from numpy.typing import NDArray

TWIDDLE_BITS = 14
MAX_SIZE = 2048
INPUT_LIMIT = 1 << 18
BLOCK = 2048  # sequences that are transformed together
Integers = NDArray[np.int64]


def sine_table(size: int) -> NDArray[np.int16]:
    """Sines of 2 pi q / size, q = 0 to 3/4 of size, in 1/16384, int16 (3/4 size + 1,)."""
    angles = 2 * np.pi * np.arange(3 * size // 4 + 1) / size
    table: NDArray[np.int16] = np.rint(np.sin(angles) * (1 << TWIDDLE_BITS)).astype(np.int16)
    return table


def power_spectrum(sequences: Integers, sine: NDArray[np.int16]) -> Integers:
    """Power spectra, int64 (sequences, N / 2 + 1), of sequences (sequences, N) of N integers.

    `sine` is the table of N; see the module's docstring.
    """
    size = sequences.shape[1]
    table = sine.astype(np.int64)
    power = np.empty((len(sequences), size // 2 + 1), np.int64)
    for start in range(0, len(sequences), BLOCK):
        block = slice(start, start + BLOCK)
        power[block] = _power_block(sequences[block].astype(np.int64), table)
    return power


def power_shift(size: int) -> int:
    """Bits that powers of sequences of `size` are shifted right."""
    return max(0, 2 * (size.bit_length() - 1) - 16)


def bit_reversal(size: int) -> NDArray[np.int64]:
    """Indices 0 to size - 1 with their bits in reversed order."""
    order = np.zeros(1, np.int64)
    while len(order) < size:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def _power_block(sequences: Integers, sine: Integers) -> Integers:
    size = sequences.shape[1]
    half, quarter = size // 2, size // 4
    order = bit_reversal(half)
    re, im = sequences[:, ::2][:, order], sequences[:, 1::2][:, order]
    width = 1
    while width < half:
        q = np.arange(width) * (half // width)
        c, s = sine[q + quarter], sine[q]
        pairs = (len(sequences), half // (2 * width), 2, width)
        re, im = re.reshape(pairs), im.reshape(pairs)
        b_re, b_im = re[:, :, 1], im[:, :, 1]
        t_re, t_im = _round(c * b_re + s * b_im), _round(c * b_im - s * b_re)
        a_re, a_im = re[:, :, 0], im[:, :, 0]
        re = np.stack([a_re + t_re, a_re - t_re], axis=2)
        im = np.stack([a_im + t_im, a_im - t_im], axis=2)
        width *= 2
    k = np.arange(half + 1)
    re, im = re.reshape(-1, half), im.reshape(-1, half)
    ahead_re, ahead_im = re[:, k % half], im[:, k % half]
    back_re, back_im = re[:, -k % half], im[:, -k % half]
    o_re, o_im = ahead_re - back_re, ahead_im + back_im
    c, s = sine[k + quarter], sine[k]
    x_re = ahead_re + back_re + _round(c * o_im - s * o_re)
    x_im = ahead_im - back_im + _round(-c * o_re - s * o_im)
    return (x_re * x_re + x_im * x_im) >> power_shift(size)


def _round(products: Integers) -> Integers:
    return (products + (1 << (TWIDDLE_BITS - 1))) >> TWIDDLE_BITS
