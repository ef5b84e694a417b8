"""NIR files (Neuromorphic Intermediate Representation).

files     read and write a `.nir` file
reader    the graph of a file, validated
ops       each kind of node in discrete time
graph     a file of another program as a float network
writer    a network as NIR nodes and edges
metadata  the exact integers beside the float graph, and the detection of edits
"""
