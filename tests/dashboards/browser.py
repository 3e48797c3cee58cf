"""Chromium by its DevTools protocol: just enough to open a page, measure it and photograph it."""

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import websocket

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    def __init__(self, socket):
        self.socket, self.number, self.requests = socket, 0, []
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("method") == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            if message.get("id") == self.number:
                return message["result"]

    def evaluate(self, expression):
        """The value of an expression, awaited if it is a promise. Raises RuntimeError with what the page threw."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def open(self, url, width, dark=False, media=""):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        if "errorText" in (gone := self.call("Page.navigate", url=url)):
            raise RuntimeError(f"{url}: {gone['errorText']}")
        end = time.monotonic() + 20
        while self.evaluate("document.readyState + location.href") != f"complete{url}":
            if time.monotonic() > end:
                raise TimeoutError(f"{url} did not load")
            time.sleep(0.05)

    def pdf(self, path):
        """What printing it makes: a PDF."""
        path.write_bytes(base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"]))

    def screenshot(self, path, width, highest=16000):
        height = min(highest, self.evaluate("document.documentElement.scrollHeight"))
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser(profile):
    """A headless Chromium with a profile of its own; gone afterwards."""
    argv = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "about:blank"]
    argv += ["--remote-debugging-port=0", "--remote-allow-origins=*", f"--user-data-dir={profile}"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(profile / "DevToolsActivePort")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5) as answer:
            pages = [page for page in json.load(answer) if page["type"] == "page"]
        socket = websocket.create_connection(pages[0]["webSocketDebuggerUrl"], timeout=20)
        yield Browser(socket)
        socket.close()
    finally:
        process.terminate()
        process.wait(10)


def _port(file):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if file.exists() and file.read_text().strip():
            return int(file.read_text().split()[0])
        time.sleep(0.05)
    raise TimeoutError("Chromium did not start")
