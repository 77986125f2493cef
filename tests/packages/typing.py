#!/usr/bin/env python3
"""Types into a shell as a person does, and reads what it shows.

usage: typing.py SHELL TEXT EXPECTED

SHELL is bash, zsh or fish, started on a terminal of its own with a prompt that is recognized. Once it
prompts, TEXT is typed, in which \\t is the key Tab and \\r is Enter. Ends with 0 when EXPECTED is shown.
"""

import os
import pty
import re
import select
import sys
import time

PROMPT = "ready>"
START = {
    "bash": (["bash", "--norc", "-i"], {"PS1": PROMPT}, ". /usr/share/bash-completion/bash_completion\r"),
    "zsh": (["zsh", "-f", "-i"], {"PS1": PROMPT}, "autoload -Uz compinit && compinit -u -D\r"),
    "fish": (["fish", "-i", "-C", f"function fish_prompt; echo -n '{PROMPT}'; end"], {}, "true\r"),
}


class Terminal:
    def __init__(self, command, environment):
        child, self.fd = pty.fork()
        if child == 0:
            os.environ.update(environment, TERM="xterm", COLUMNS="200")
            os.execvp(command[0], command)
        self.shown = ""

    def waits_for(self, pattern, seconds=20):
        """Reads until the pattern is shown; tells what stood before and after it, or ends."""
        end = time.monotonic() + seconds
        while True:
            plain = re.sub(r"\x1b\[[0-9;?>]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|[\r]", "", self.shown)
            found = re.search(pattern, plain)
            if found:
                self.shown = plain[found.end():]
                return
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                sys.exit(f"waited in vain for {pattern!r}; there is {plain[-2000:]!r}")
            try:
                self.shown += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                sys.exit(f"the shell ended; there is {plain[-2000:]!r}")

    def types(self, text):
        os.write(self.fd, text.encode())


def main():
    shell, text, expected = sys.argv[1:]
    text = text.replace("\\t", "\t").replace("\\r", "\r")
    command, environment, first = START[shell]
    terminal = Terminal(command, environment)
    terminal.waits_for(PROMPT)
    terminal.types(first)
    terminal.waits_for(PROMPT)
    # Between the keys, the shell may read its completions.
    for part in re.split(r"(?<=\t)", text):
        terminal.types(part)
        if part.endswith("\t"):
            word = part.split()[-1]
            terminal.waits_for(re.escape(word) + r"\w+ ")
    terminal.waits_for(re.escape(expected))


main()
