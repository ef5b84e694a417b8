"""Triton's kernels, in its interpreter on the CPU, equal the CPU's compiled kernels."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

if os.environ.get("TRITON_INTERPRET") == "1" and find_spec("triton"):
    from pumice.runtime.errors import EngineError
    from pumice.train.nn import lif_ops, lif_triton

    SHAPES = [(1, 1, 1), (5, 3, 70), (3, 2, 4, 5, 6), (2, 1, 1300)]
    RESETS = [(True, False), (True, True), (False, False)]
    SURROGATES = ["triangle", "rectangle", "atan", "fast_sigmoid"]

    def draw(shape: tuple[int, ...], size: float, seed: int) -> torch.Tensor:
        random = np.random.default_rng(seed)
        return torch.from_numpy(random.normal(0, size, shape)).float()

    @pytest.mark.parametrize(("spiking", "soft"), RESETS)
    @pytest.mark.parametrize("size", [300.0, 130_000.0])
    @pytest.mark.parametrize("shape", SHAPES)
    def test_integers_are_equal_bit_for_bit(
        shape: tuple[int, ...], size: float, spiking: bool, soft: bool
    ) -> None:
        values = draw(shape, size, 0).round().clamp(-260_000, 260_000)
        values += 0.5 * (torch.rand(shape) - 0.5)  # errors up to 1/4
        bias = draw(shape[2:], 1000, 1).round().flatten()
        settings = [(12_800, (4096, 2048)), (6, (1024, 0)), (64, (0, 4096)), (999, (3001, 17))]
        for threshold, decays in settings:
            model = threshold, decays, spiking, soft, True
            expected = lif_ops._forward_numba(values, bias.view(shape[2:]), *model)
            found = lif_triton.forward(values, bias, *model)
            for one, other in zip(found, expected, strict=True):
                assert torch.equal(one, other)

    @pytest.mark.parametrize("surrogate", SURROGATES)
    @pytest.mark.parametrize(("spiking", "soft"), RESETS)
    @pytest.mark.parametrize("shape", SHAPES)
    def test_floats_and_gradients_are_equal_to_1e_6(
        shape: tuple[int, ...], spiking: bool, soft: bool, surrogate: str
    ) -> None:
        values, bias, decays = draw(shape, 1.0, 2), draw(shape[2:], 0.1, 3), (1500, 700)
        model = 1.0, decays, spiking, soft, False
        expected = lif_ops._forward_numba(values, bias, *model)
        found = lif_triton.forward(values, bias.flatten(), *model)
        torch.testing.assert_close(found[1], expected[1], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(found[0], expected[0], rtol=1e-6, atol=1e-6)
        states = draw(shape, 1.0, 4), expected[1], 1.0, decays, spiking, soft
        for one, other in zip(
            lif_triton.backward(*states, surrogate, 1.0),
            lif_ops._backward_numba(*states, surrogate, 1.0),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("error", [0.3, 0.5, -0.7, float("nan")])
    def test_sums_that_are_no_integers_are_refused(error: float) -> None:
        values = torch.zeros(2, 1, 1300)
        values[1, 0, 1299] = 7 + error
        with pytest.raises(EngineError, match="off by more than 0.25"):
            lif_triton.forward(values, torch.zeros(1300), 64, (4096, 2048), True, False, True)

else:

    @pytest.mark.skipif(not find_spec("triton"), reason="triton is not installed")
    def test_in_the_interpreter() -> None:
        """The interpreter is chosen by a variable when the kernels are imported."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
        environment = {**os.environ, "TRITON_INTERPRET": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
        assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-3000:]
