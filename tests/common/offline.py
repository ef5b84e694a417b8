"""Run a command in a network of its own, where every packet that it sends is seen.

In a namespace of Linux, whatever the command sends to any address arrives at the loopback device,
and a name is asked for at 127.0.0.1. As a script: `offline.py RESULT.json COMMAND ...`.
"""

import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

ETH_P_ALL, SIOCSIFFLAGS, SIOCADDRT, IFF_UP, RTF_UP, MS_BIND = 3, 0x8914, 0x890B, 1, 1, 4096
PORT_DNS = 53


def can_run() -> bool:
    """Whether this system has such namespaces and permits them."""
    try:
        return subprocess.run(["unshare", "-rnm", "true"], capture_output=True).returncode == 0
    except OSError:
        return False


def find_connections(
    command: Sequence[str], environment: dict[str, str]
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run `command`; returns it, and where it sent to: name look-ups and foreign addresses."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "sent.json"
        wrapped = ["unshare", "-rnm", sys.executable, __file__, str(result), *command]
        done = subprocess.run(wrapped, capture_output=True, text=True, env=environment)
        if not result.exists():
            raise RuntimeError(f"no network of its own: {done.stderr}")
        return done, json.loads(result.read_text(encoding="utf-8"))


def _enter_network() -> socket.socket:
    """Route all addresses and name look-ups to the loopback device, and listen there."""
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    libc = ctypes.CDLL(None, use_errno=True)
    flags = struct.pack("16sH22x", b"lo", IFF_UP)
    if libc.ioctl(control.fileno(), SIOCSIFFLAGS, flags):
        raise OSError(ctypes.get_errno(), "the loopback device stays down")
    device = ctypes.create_string_buffer(b"lo")
    address = struct.pack("HH4s8x", socket.AF_INET, 0, bytes(4))
    # struct rtentry: destination, gateway and mask 0.0.0.0, flags ..., the name of the device
    numbers = RTF_UP, 0, 0, 0, 0, ctypes.addressof(device), 0, 0, 0
    route = struct.pack("L16s16s16sHhLPhPLLH", 0, address, address, address, *numbers)
    if libc.ioctl(control.fileno(), SIOCADDRT, route):
        raise OSError(ctypes.get_errno(), "no route")
    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as file:
        file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    libc.mount(file.name.encode(), b"/etc/resolv.conf", None, MS_BIND, None)
    os.unlink(file.name)
    return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))


def _describe(packet: bytes, protocol: int) -> str:
    """Where a packet goes to, if that is a foreign address or a server of names; else empty."""
    if protocol == 0x0800 and len(packet) >= 24:
        start = 4 * (packet[0] & 15)
        to, kind = socket.inet_ntop(socket.AF_INET, packet[16:20]), packet[9]
        local = to.startswith("127.")
    elif protocol == 0x86DD and len(packet) >= 44:
        start, kind = 40, packet[6]
        to = socket.inet_ntop(socket.AF_INET6, packet[24:40])
        local = to == "::1" or to.startswith("ff02:")  # the kernel's own neighbor discovery
    else:
        return ""
    has_port = kind in (socket.IPPROTO_TCP, socket.IPPROTO_UDP)
    port = int.from_bytes(packet[start + 2 : start + 4], "big") if has_port else 0
    return "" if local and port != PORT_DNS else f"{to} port {port}"


def main() -> int:
    """Run the command of this script's arguments, and write where it sent to."""
    listener = _enter_network()
    listener.settimeout(0.2)
    sent: set[str] = set()
    stop = threading.Event()

    def listen() -> None:
        while True:
            try:
                packet, source = listener.recvfrom(1 << 16)
            except TimeoutError:
                if stop.is_set():
                    return
                continue
            sent.add(_describe(packet, source[1]))

    thread = threading.Thread(target=listen)
    thread.start()
    status = subprocess.run(sys.argv[2:]).returncode
    stop.set()
    thread.join()
    Path(sys.argv[1]).write_text(json.dumps(sorted(sent - {""})), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
