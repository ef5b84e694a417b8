"""Firmware in portable C: export, emulation on microcontrollers, and profile."""

from .export import export_firmware as export_firmware
