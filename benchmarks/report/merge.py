"""Several runs as one: what takes minutes is asked by name, and then stands beside the rest."""

import copy
from collections.abc import Sequence

from report.figures import Results

# What must be the same for figures to stand side by side.
SAME = ("cpu", "cores", "memory_gb", "kernel", "python")


def merged(several: Sequence[Results]) -> Results:
    """The first with what the later ones add; where two have the same part or load of a contender, the later one's.

    Errors: ValueError if they are of different machines, or one was measured over TLS and another not.
    """
    whole, *later = map(copy.deepcopy, several)
    whole["runs"] = runs(whole)
    for results in later:
        check(whole, results)
        whole["runs"] += runs(results)
        forget_skipped(whole, results)
        for name, entry in results["contenders"].items():
            known = whole["contenders"].setdefault(name, entry)
            known["loads"] = known["loads"] | entry["loads"]
        for name, put in results["parts"].items():
            whole["parts"][name] = whole["parts"].get(name, {}) | put
        for name, starts in results["starts_ms"].items():
            whole["starts_ms"][name] = whole["starts_ms"].get(name, []) + starts
        whole["skipped"] |= results["skipped"]
        whole["failures"] += results["failures"]
    return whole


def check(whole: Results, results: Results) -> None:
    for name in SAME:
        if whole["machine"][name] != results["machine"][name]:
            raise ValueError(f"two machines: {name} is {whole['machine'][name]}, then {results['machine'][name]}")
    if whole["options"]["tls"] != results["options"]["tls"]:
        raise ValueError("one run is over TLS, another is not")


def runs(results: Results) -> list[Results]:
    """When and how each run was made, and how long each of its questions took."""
    own = {"date": results["machine"]["date"], "options": results["options"], "seconds": results["seconds"]}
    return list(results.get("runs", [own]))


def forget_skipped(whole: Results, results: Results) -> None:
    """What the first could not measure and the later one has."""
    done = {name for name, entry in results["contenders"].items() if entry["loads"]}
    done |= {f"{part}: {name}" for part, put in results["parts"].items() for name in put}
    whole["skipped"] = {name: reason for name, reason in whole["skipped"].items() if name not in done}
