"""netx files of lava-dl."""
