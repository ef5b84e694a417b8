"""Training losses on the logits of every timestep: cross-entropy, TET, ETC, TCL, distillation."""
