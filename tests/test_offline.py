"""Nothing downloads: neither a test nor a process that it starts reaches anything but this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request

import pytest

from bench.__main__ import QUIET
from tests.paths import ROOT

AWAY = "192.0.2.1"  # of documentation (RFC 5737): nobody has it


def test_an_address_a_name_and_a_page_elsewhere_are_refused_and_named(refused):
    with socket.socket() as tcp, pytest.raises(OSError, match=r"connect to 192\.0\.2\.1:443"):
        tcp.connect((AWAY, 443))
    with socket.socket(type=socket.SOCK_DGRAM) as udp, pytest.raises(OSError, match=r"send to 192\.0\.2\.1:53"):
        udp.sendto(b"who is it", (AWAY, 53))
    with pytest.raises(OSError, match=r"tried to look up huggingface\.co:443"):
        urllib.request.urlopen("https://huggingface.co/some/model")
    assert refused == ["connect to 192.0.2.1:443", "send to 192.0.2.1:53", "look up huggingface.co:443"]


def test_this_machine_may_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_a_process_that_a_test_starts_is_refused_too():
    code = f"import socket; socket.create_connection(({AWAY!r}, 443))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "tests use no network, and something tried to look up 192.0.2.1:443" in done.stderr


def test_the_program_turns_the_hubs_telemetry_off_before_any_library_is_imported():
    code = """
import os
from bench import __main__ as program
program.run = lambda arguments: print(*(os.environ[name] for name in program.QUIET))
program.start()
"""
    without = {name: value for name, value in os.environ.items() if name not in QUIET}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=without, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 1\n", "")
