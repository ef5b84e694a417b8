"""From a recipe to a checkpoint: data, neurons, objectives, the fit loop and evaluation."""
