"""Quantization: the float network, linear-op fusion, scales, calibration, mixed precision."""
