"""From a trained module or a file to a `Network`, and from a `Network` to ONNX, NIR and netx."""
