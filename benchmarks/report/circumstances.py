"""What the figures were made on and how, and whether anything else used the machine meanwhile."""

import statistics
import textwrap
from collections.abc import Iterator

from report.figures import Results, all_windows, share
from report.merge import runs

# Above this share of the machine's CPU, what others used or the host took, the figures are not to be trusted.
NOISE = 0.05
WIDTH = 120


def circumstances(results: Results) -> str:
    """A list of it all."""
    return "".join(map(item, lines(results)))


def item(line: str) -> str:
    """One of a list, in lines of a readable width."""
    return textwrap.fill(f"- {line}", WIDTH, subsequent_indent="  ", break_on_hyphens=False) + "\n"


def lines(results: Results) -> Iterator[str]:
    on = results["machine"]
    yield f"{on['cpu']}, {on['cores']} cores, {on['memory_gb']} GB, {on['kernel']}, Python {on['python']}"
    for run in runs(results):
        options = run["options"]
        yield (
            f"{run['date']}: rounds {options['rounds']}, windows of {options['seconds']:g} s"
            f"{', upstream over TLS' if options['tls'] else ''}, {sum(run['seconds'].values()) / 60:.1f} minutes: "
            f"{', '.join(f'{name} {seconds:.0f} s' for name, seconds in run['seconds'].items())}"
            f"{'; **a quick run, whose figures are of no worth**' if options['quick'] else ''}"
        )
    noise = noise_of(results)
    if noise:
        yield noise
    for entry in results["contenders"].values():
        if entry["loads"] and entry["version"]:
            yield f"{entry['title']}: {entry['version']}"


def noise_of(results: Results) -> str:
    """How much of the machine others used, or its host took, while something was measured."""
    windows = list(all_windows(results))
    if not windows:
        return ""
    told, worst = [], 0.0
    for name in ("others", "stolen"):
        values = [found[name] for found in windows]
        worst = max(worst, statistics.median(values))
        told.append(f"{share(statistics.median(values))} (at most {share(max(values))})")
    text = f"in its windows other processes used {told[0]} of the machine's CPU, and its host took {told[1]}"
    if worst > NOISE:
        text += "; **that is too much: take these figures for a trial, not for a result**"
    return text
