"""The training loop: configuration, checkpoints, callbacks, distributed training."""
