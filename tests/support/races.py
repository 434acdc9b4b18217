"""Real processes that begin at the same time."""

import subprocess
from threading import Timer


def race(commands: list[list[str]], **options: object) -> list[str]:
    """What each said after the start: it prints "ready", and waits for a line. Killed if that takes a minute."""
    pipes = {"text": True, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    racers = [subprocess.Popen(command, **pipes, **options) for command in commands]
    killer = Timer(60, lambda: [racer.kill() for racer in racers])
    killer.start()
    try:
        assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * len(racers)
        for racer in racers:
            racer.stdin.write("go\n")
            racer.stdin.flush()
        said = [racer.communicate(timeout=60)[0] for racer in racers]
    finally:
        killer.cancel()
        for racer in racers:
            racer.kill()
    assert [racer.returncode for racer in racers] == [0] * len(racers)
    return said
