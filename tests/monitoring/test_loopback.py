"""A replay is open to its own machine alone, unless --lan says otherwise."""

import re
import select
import socket
import subprocess
import sys
import uuid
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import numpy as np
import pytest

from elman.cli.commands import replay as jobs
from elman.monitoring import loopback
from helpers.command_files import process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere --lan must be given")


def listening(pid):
    """The addresses at which a process can be reached by TCP or UDP, as Linux lists them."""
    own = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        if (match := re.fullmatch(r"socket:\[(\d+)\]", entry.readlink().name)) is not None:
            own.add(match[1])
    found = set()
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]:
            words = line.split()
            if words[9] in own and words[3] in ("0A", "07"):  # TCP's LISTEN, and UDP without a partner
                host = bytes.fromhex(words[1].partition(":")[0])
                parts = b"".join(host[i : i + 4][::-1] for i in range(0, len(host), 4))
                found.add((kind[:3], str((IPv4Address if len(parts) == 4 else IPv6Address)(parts))))
    return found


@pytest.mark.parametrize(
    ("family", "anywhere", "here"), [(socket.AF_INET, "0.0.0.0", "127.0.0.1"), (socket.AF_INET6, "::", "::1")]
)
def test_a_listening_socket_is_moved_under_its_epoll(family, anywhere, here):
    """As in liblsl: the owner waits in an epoll, and knows the socket by its file descriptor alone."""
    before = loopback.sockets()
    with socket.socket(family) as server, select.epoll() as epoll:
        server.setblocking(False)
        server.bind((anywhere, 0))
        server.listen()
        epoll.register(server.fileno(), select.EPOLLIN | select.EPOLLET)
        port = server.getsockname()[1]
        loopback.confine(before)
        assert server.getsockname()[:2] == (here, port)
        assert epoll.poll(0.05) == []
        with socket.create_connection((here, port), 5):
            assert epoll.poll(5) == [(server.fileno(), select.EPOLLIN)]
            server.accept()[0].close()
        if family == socket.AF_INET:
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.2", port), 5)  # another address of this machine


def test_datagrams_and_what_is_left_alone():
    with socket.socket() as earlier:
        earlier.bind(("0.0.0.0", 0))
        before = loopback.sockets()
        with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket(type=socket.SOCK_DGRAM) as unbound:
            udp.bind(("0.0.0.0", 0))
            port = udp.getsockname()[1]
            loopback.confine(before)
            assert udp.getsockname() == ("127.0.0.1", port)
            unbound.sendto(b"x", ("127.0.0.1", port))
            assert select.select([udp], [], [], 5)[0] == [udp] and udp.recv(9) == b"x"
        assert earlier.getsockname()[0] == "0.0.0.0"


def own_address():
    """An address of this machine that others reach; the test is skipped where there is none."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no network")
        address = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no network")
    return address


def test_a_connection_from_the_network_is_closed():
    """It was made before the server was moved; one from this machine stays."""
    address = own_address()
    before = loopback.sockets()
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as near:
            near_end, _ = server.accept()
            with socket.create_connection((address, port)) as far:
                far_end, _ = server.accept()
                with near_end, far_end:
                    with pytest.raises(OSError, match="is open to other machines and cannot be moved"):
                        loopback.confine(before)
                    near.sendall(b"still there")
                    assert near_end.recv(20) == b"still there"
                    assert far.recv(20) == b""  # the end of the stream


@pytest.fixture
def replay(tmp_path):
    """Start a replay, and return its process and what it says of the stream."""
    pytest.importorskip("typer")
    pytest.importorskip("pylsl", reason="Lab Streaming Layer needs pylsl", exc_type=ImportError)
    np.savez(tmp_path / "r.npz", X=np.zeros((1, 5000, 1)), fs=100.0)
    (tmp_path / "lsl_api.cfg").write_text(f"[lab]\nSessionID = {uuid.uuid4().hex}\n")
    children = []

    def start(*options):
        arguments = ("replay", "r.npz", "--lsl", "case19", "--wait", "60", "--seconds", "8", *options)
        children.append(process(*arguments, cwd=tmp_path))
        return children[-1], children[-1].stderr.readline().decode()

    yield start
    for child in children:
        child.kill()
        child.communicate()


def test_a_replay_is_open_to_its_machine_alone(replay):
    child, said = replay()
    assert said.strip().endswith("the stream is 'case19', open to this machine alone")
    found = listening(child.pid)
    assert {kind for kind, _ in found} == {"tcp", "udp"}
    assert {address for _, address in found} <= {"127.0.0.1", "::1"}


def test_lan_opens_it_and_says_so(replay):
    child, said = replay("--lan")
    assert said.strip().endswith("the stream is 'case19', open to the whole network (--lan)")
    assert ("tcp", "0.0.0.0") in listening(child.pid)


def test_where_it_cannot_be_closed_lan_must_be_given(monkeypatch, tmp_path):
    pytest.importorskip("pylsl", reason="Lab Streaming Layer needs pylsl", exc_type=ImportError)
    monkeypatch.setattr(loopback, "possible", lambda: False)
    with pytest.raises(ValueError, match=r"^--lan is not given, but on this system a stream can only be"):
        jobs.replay("r.npz", "x", options={}, say=print)


def test_two_replays_are_both_found(replay):
    """A unicast query at the common port reaches only one of them; the monitor asks at all ports."""
    pytest.importorskip("rich")
    replay()
    child, _ = replay("--lsl", "other")
    folder = Path(f"/proc/{child.pid}/cwd").readlink()
    for name in ("case19", "other"):
        code = (
            "from elman.monitoring import lsl\n"
            f"source = lsl.Source({name!r}, None, lambda _: None, print)\n"
            "while not source.connected:\n    source.pull(0.1)\n"
            "print(source.description.name)"
        )
        out = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, timeout=100)
        assert out.stdout.decode().strip() == name, out.stderr.decode()
