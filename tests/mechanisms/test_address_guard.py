"""What the address guard promises: whoever names an address reaches nothing of ours by it, however it is written."""

import socket
import threading
import time
from ipaddress import IPv6Address

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.address_guard import GuardedBackend, RefusedAddressError, is_outside, outside_address

OUTSIDE = ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]
INSIDE = [
    "127.0.0.1", "127.1", "127.0.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "2130706433", "017700000001",
    "127.255.255.254", "0.0.0.0", "0", "10.0.0.1", "10.1", "172.16.0.1", "172.31.255.255", "192.168.0.1",  # noqa: S104 - bound by nobody
    "192.168.257", "169.254.169.254", "0xa9fea9fe", "2852039166", "100.64.0.1", "192.0.0.1", "192.0.0.192", "192.0.2.1",
    "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "::1", "::", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::", "2001::1", "2001:db8::1", "fc00::1",
    "3fff::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
]  # fmt: skip
"""Loopback, private, link-local, shared, for documents, benchmarks, many, the future, translation: in all notations."""


@pytest.mark.parametrize("host", INSIDE)
def test_an_inner_address_is_refused_in_every_notation(host):
    """As whatever the system makes of it: no pattern looks at the text."""
    with pytest.raises(RefusedAddressError, match="no address of the public internet"):
        outside_address(host, 80)


@pytest.mark.parametrize("host", OUTSIDE)
def test_a_public_address_is_taken_as_it_is(host):
    """A guard that refuses everybody guards nothing."""
    assert outside_address(host, 443) == host


@given(st.ip_addresses(v=4))
def test_an_address_within_an_ipv6_address_is_not_taken_for_a_public_one(address):
    """Compatible, mapped, translated, 6to4: none leads to an IPv4 address, inner or not."""
    number = int(address)
    for within in (number, 0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
        assert not is_outside(IPv6Address(within))


def test_an_address_that_is_allowed_allows_no_other():
    """Neither does its text, given as it is: "10.0.0.1" is a part of it."""
    for allow in ("10.0.0.12", ["10.0.0.12"]):
        assert outside_address("10.0.0.12", 80, allow) == "10.0.0.12"
        with pytest.raises(RefusedAddressError):
            outside_address("10.0.0.1", 80, allow)


def resolved(monkeypatch, *answers):
    """A name server that gives these answers, one after the other; returns how often it was asked."""
    asked = []

    def getaddrinfo(host, port, **_):
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_with_one_inner_address_is_refused(monkeypatch):
    """Which of them is connected to is the name's owner's choice, and no other one's."""
    resolved(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(RefusedAddressError, match=r"evil\.example is at 10\.0\.0\.1"):
        outside_address("evil.example", 80)


def test_a_name_is_resolved_once(monkeypatch):
    """A second answer, for the connection itself, would be another one (DNS rebinding)."""
    asked, connected = resolved(monkeypatch, ["8.8.8.8"], ["127.0.0.1"]), []

    def connect_tcp(_, host, port, *__):
        connected.append((host, port))
        raise httpcore.ConnectError

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect_tcp)
    with pytest.raises(httpcore.ConnectError):
        GuardedBackend(5.0).connect_tcp("rebinding.example", 80)
    assert (asked, connected) == (["rebinding.example"], [("8.8.8.8", 80)])


def test_what_is_no_host_is_no_host():
    """One kind of error for whoever calls."""
    with pytest.raises(OSError, match="no host"):
        outside_address("a" * 70 + ".example", 80)


@pytest.mark.timeout(20)
def test_a_connection_lasts_no_longer_than_it_may():
    """A byte now and then keeps each read short, and would keep the sender for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def drip():
            client, _ = server.accept()
            with client:
                try:
                    for _ in range(200):
                        client.sendall(b"x")
                        time.sleep(0.05)
                except OSError:
                    pass

        dripping = threading.Thread(target=drip)
        dripping.start()
        stream = GuardedBackend(0.5, allow=("127.0.0.1",)).connect_tcp("127.0.0.1", port)
        with pytest.raises((TimeoutError, httpcore.ReadTimeout)):
            [stream.read(1) for _ in range(200)]
        stream.close()
        dripping.join()


@pytest.mark.timeout(60)
def test_a_long_message_is_written_no_longer_than_it_may():
    """A reader that takes a part now and then keeps each part short."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def sip():
            client, _ = server.accept()
            with client:
                while client.recv(65536) and not over.wait(0.01):
                    pass

        sipping = threading.Thread(target=sip)
        sipping.start()
        stream = GuardedBackend(1.0, allow=("127.0.0.1",)).connect_tcp("127.0.0.1", server.getsockname()[1])
        began = time.monotonic()
        with pytest.raises((TimeoutError, httpcore.WriteTimeout)):
            stream.write(b"x" * 50_000_000)
        took = time.monotonic() - began
        over.set()
        stream.close()
        sipping.join()
    assert took < 4, "to read all of it takes 8 seconds"
