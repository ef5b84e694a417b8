"""File formats: readers, writers and metadata of NIR, netx, ONNX and HDF5."""
