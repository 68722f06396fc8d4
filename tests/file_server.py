"""Files served on 127.0.0.1 the way a good or a bad server does it: ranges, tags, connections that break."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What it serves and how; `asked` are the requests it got, as (path, Range header or None)."""

    files: dict[str, bytes] = field(repr=False)
    url: str = ""
    cut_after: list[int] = field(default_factory=list)  # bytes after which the next answers break off, one each
    status: list[int] = field(default_factory=list)  # statuses that the next answers have instead of the file
    tags: bool = True  # whether it names versions (ETag)
    content_type: str = "application/octet-stream"
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[FileServer]:
    served = FileServer(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            served.asked.append((self.path, wanted))
            content = served.files.get(self.path)
            status = served.status.pop(0) if served.status else 0
            if content is None or status:
                self.send_error(status or 404)
                return
            tag = f'"{hash(content)}"'
            start = 0
            if wanted and self.headers.get("If-Range", tag) == tag:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if served.tags:
                self.send_header("ETag", tag)
            self.send_header("Content-Type", served.content_type)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            body = content[start:]
            with suppress(ConnectionError):  # a client that has seen enough
                self.wfile.write(body[: served.cut_after.pop(0)] if served.cut_after else body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
