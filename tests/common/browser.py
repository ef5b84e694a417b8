"""Headless Chromium, driven through its DevTools protocol over a pipe: no port, no package."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe")
QUIET = ("--disable-background-networking", "--no-first-run", "--disable-component-update")
START = """
import os, sys
for number in (1, 2):
    os.dup2(int(sys.argv[number]), number + 2)
os.execv(sys.argv[3], sys.argv[3:])
"""
SECONDS = 30.0


def chromium() -> str | None:
    """Find Chromium; None if it is not installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """A page of the browser, with the events of the protocol in order."""

    def __init__(self, to: int, back: int) -> None:
        self.to, self.back, self.number, self.rest = to, back, 0, b""
        self.events: list[dict[str, Any]] = []
        self.session = ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        found = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = found["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call `method` of the protocol and return its result."""
        self.number += 1
        call: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            call["sessionId"] = self.session
        os.write(self.to, json.dumps(call).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self.number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    def open(self, path: Path) -> None:
        """Load a file and wait until it is complete."""
        self.send("Page.navigate", url=path.as_uri())
        while not self.seen("Page.loadEventFired"):
            self.events.append(self._next())

    def seen(self, *methods: str) -> list[dict[str, Any]]:
        """Collect the parameters of all events of these names so far."""
        return [each["params"] for each in self.events if each.get("method") in methods]

    def value(self, expression: str) -> Any:
        """Evaluate a JavaScript expression on the page."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key where the focus is."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode=13 if key == "Enter" else 9, **text)  # fmt: skip

    def look(self, width: int, scheme: str) -> None:
        """Make the page `width` pixels wide, in the color scheme "light" or "dark"."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", features=[feature])

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + SECONDS
        while b"\0" not in self.rest:
            assert time.monotonic() < end, "Chromium does not answer"
            self.rest += os.read(self.back, 1 << 16)
        message, _, self.rest = self.rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@contextmanager
def open_browser(program: str, home: Path) -> Iterator[Page]:
    """Open Chromium with its profile in `home`; it ends with the block."""
    pipes = [os.pipe(), os.pipe()]
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for pair in pipes for end in pair]
    for pair in pipes:
        for end in pair:
            os.close(end)
    there, to, back, here = ends  # the child reads `there` and writes `here`
    command = [sys.executable, "-c", START, str(there), str(here)]
    options = [*FLAGS, *QUIET, f"--user-data-dir={home}"]
    log = subprocess.DEVNULL
    process = subprocess.Popen(
        [*command, program, *options], pass_fds=(there, here), stdout=log, stderr=log
    )
    os.close(there)
    os.close(here)
    try:
        yield Page(to, back)
    finally:
        process.terminate()
        process.wait(SECONDS)
        os.close(to)
        os.close(back)
