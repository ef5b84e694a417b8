"""File formats: for each the reader, the writer and the metadata side by side.

nir/   Neuromorphic Intermediate Representation
netx/  `.net` files of lava-dl, written by SLAYER and run by netx
onnx/  ONNX models
hdf5/  the container of NIR and netx files, read in a process of its own
"""
