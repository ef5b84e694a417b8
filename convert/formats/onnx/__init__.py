"""ONNX models: all timesteps in one `Scan`, or one timestep with its states outside."""
