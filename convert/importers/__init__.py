"""Importers: models of other libraries as a float network, or as integers where they hold those.

open          a model of any kind: path, torch layers or SLAYER blocks
torch_layers  torch layers by their class names; max pooling is imported here
sequential    a sequence of layers and neurons as a float network
spikingjelly  neurons of SpikingJelly
snntorch      neurons of snnTorch
slayer        blocks of SLAYER (lava-dl)
sinabs        neurons of sinabs
norse         neurons of norse

Modules with a forward method of their own are run on drawn inputs, and every import is compared
with the original:

custom_forward  a module with a forward method of its own
tracer          torch functions, modules and neurons of one run
trace_cells     values of a run as functions of the outputs of populations
trace_linear    linear functions: new cells from those of their arguments
traced_network  the float network of a run
source_lines    lines of the user's code, for errors
trace_ops       linear operations of torch functions
neuron_layout   axes of time and batch of each library's neurons
neuron_probe    neurons alone against their parsed parameters
import_check    layers of the original against those of the float network
layer_check     the same for a sequence of layers
module_copy     copies of modules with the weights that they compute
"""
