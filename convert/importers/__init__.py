"""Import models of torch, SpikingJelly, snnTorch and lava-dl SLAYER."""
