"""Prints how much of the core is covered, by an lcov file; ends with 1 below the limit.

usage: coverage.py LCOV [COUNT]     and the lines that were not run, of that many files (10)

What follows `#[cfg(test)]` in a file is not counted, and neither are files of tests.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

CORE = ("model", "registry", "ipc", "engine")
LIMIT = 95.0
TEST_FILE = re.compile(r"(^|/)(tests?|fixture|histories|examples)(\.rs|/)")


def test_lines(source):
    """The lines of items below `#[cfg(test)]`, by their braces."""
    lines, tests, number = source.splitlines(), set(), 0
    while number < len(lines):
        if not lines[number].strip().startswith("#[cfg(test)]"):
            number += 1
            continue
        indent = len(lines[number]) - len(lines[number].lstrip())
        end = number + 1
        # Formatted code closes an item where it opened it.
        while end < len(lines) and lines[end].strip().startswith("#["):
            end += 1
        if not lines[end].rstrip().endswith(";"):
            while end < len(lines) and lines[end].rstrip() != " " * indent + "}":
                end += 1
        tests.update(range(number + 1, end + 2))
        number = end + 1
    return tests


def counts(lcov, root):
    """For each source file, which line was run how often."""
    files = defaultdict(lambda: defaultdict(int))
    current = None
    for line in open(lcov):
        if line.startswith("SF:"):
            path = Path(line[3:].strip())
            current = files[path.relative_to(root)] if path.is_relative_to(root) else None
        elif line.startswith("DA:") and current is not None:
            number, times = line[3:].split(",")[:2]
            current[int(number)] += int(times)
    return files


def main():
    root = Path(__file__).resolve().parent.parent
    layers = {layer: [0, 0] for layer in CORE}
    worst = []
    missed = {}
    for path, lines in sorted(counts(sys.argv[1], root).items()):
        if len(path.parts) < 3 and path.name not in [f"{layer}.rs" for layer in CORE]:
            continue
        layer = path.parts[1].removesuffix(".rs")
        if path.parts[0] != "src" or layer not in CORE or TEST_FILE.search(str(path)):
            continue
        tests = test_lines((root / path).read_text())
        real = {line: times for line, times in lines.items() if line not in tests}
        covered = sum(times > 0 for times in real.values())
        layers[layer][0] += covered
        layers[layer][1] += len(real)
        worst.append((len(real) - covered, path))
        missed[path] = sorted(line for line, times in real.items() if times == 0)
    print(f"{'':<12}{'lines':>8}{'run':>8}{'':>9}")
    for layer, (covered, all_lines) in [*layers.items(), ("the core", map(sum, zip(*layers.values())))]:
        share = 100 * covered / max(all_lines, 1)
        print(f"{layer:<12}{all_lines:>8}{covered:>8}{share:>8.1f}%")
    print("\nmost lines that were not run:")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    for left, path in sorted(worst, reverse=True)[:count]:
        print(f"{left:>5}  {path}: {spans(missed[path])}")
    return 0 if share >= LIMIT else 1


def spans(lines):
    """Numbers of lines, those that follow each other as `from-to`."""
    found = []
    for line in lines:
        if found and line == found[-1][1] + 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


sys.exit(main())
