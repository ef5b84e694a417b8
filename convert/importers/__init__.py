"""Importers: models of other libraries as a float network, or as integers where they hold those.

open          a model of any kind: path, torch layers or SLAYER blocks
torch_layers  torch layers by their class names; max pooling is imported here
sequential    a sequence of layers and neurons as a float network
spikingjelly  neurons of SpikingJelly
snntorch      neurons of snnTorch
slayer        blocks of SLAYER (lava-dl)
"""
