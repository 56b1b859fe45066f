"""A web server on this machine that serves what a test gives it, and misbehaves as told."""

import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server, name = self.server, self.path.removeprefix("/")
        server.ranges.append(self.headers.get("Range"))
        status = server.answers.pop(0) if server.answers else None
        if status is not None or name not in server.files:
            self.send_error(status or 404)
            return
        content, start = server.files[name], 0
        if server.continues and self.headers.get("Range"):
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        n_sent = server.cuts.pop(0) if server.cuts else len(content)
        self.wfile.write(content[start : start + n_sent])
        self.close_connection = True

    def log_message(self, *args):
        pass  # silent: the test reads `ranges`


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Server with ``files`` (name to bytes), ``cuts`` (bytes after which each answer breaks off), ``answers`` (status
    to give instead), ``continues`` (whether it knows ranges) and the ``ranges`` it was asked for. The environment has
    no folder of data sets, and scikit-learn's data home is empty."""
    monkeypatch.delenv("SKLABELNOISE_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit_learn_data"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.files, server.cuts, server.answers, server.ranges, server.continues = {}, [], [], [], True
    server.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def make_archive():
    """Function that packs (name, bytes) pairs, or ready members, into a compressed tar archive in memory."""

    def pack(members):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, content in members:
                info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return buffer.getvalue()

    return pack
