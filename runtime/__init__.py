"""What stands on the device: networks, programs, the arithmetic and the engines."""
