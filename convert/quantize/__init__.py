"""Quantization: the float network, the fusion of its linear layers, and rounding to integers.

float_network    populations and projections in floats, as importers return them
linear_ops, fuse pooling, conv, linear and batch norm between populations, fused to projections
neuron_params    neuron parameters of other libraries
scales           scales and rounding to registers, the only place that does it
quantize         a float network to integers (quantize_projection, quantize_messages), with its
                 quantization_errors
calibration      clipping ranges and bias correction on data (float_simulator, layer_trial)
mixed_precision  search of weight bits per population
"""
