"""netx `.net` files (lava-dl): the integers of a network trained with SLAYER, as HDF5.

schema       layers and their entries, validated when read
checks       which layers are supported, and where SLAYER and netx disagree
connections  weights as 8-bit synapses
reader       a `.net` file to a network
writer       a network to a `.net` file that lava-dl runs with the same spikes
"""
