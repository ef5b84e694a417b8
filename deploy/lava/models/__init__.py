"""Models of Lava processes: what Lava lacks or is slow at.

Lava's compiler runs each file of this folder on its own when it looks for the model of a process,
so they import nothing relative.
"""
