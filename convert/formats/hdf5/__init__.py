"""HDF5 files, read in a subprocess, since damaged ones can hang or crash the HDF5 library."""
