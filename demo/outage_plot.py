"""Draws what was admitted through an outage, and how near to the limit it came."""
import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "flowctl"  # the same picture for the same run
import matplotlib.pyplot as plt  # noqa: E402

BIN_NS = 100_000_000


def admitted(rings):
    """(time, permits) of all processes, in order."""
    return sorted((time_ns, permits) for _, entries in rings for time_ns, _, permits, _ in entries)


def per_bin(entries, start_ns, end_ns):
    counts = [0] * ((end_ns - start_ns) // BIN_NS + 1)
    for time_ns, permits in entries:
        counts[(time_ns - start_ns) // BIN_NS] += permits
    return counts


def water(entries, rate):
    """The level of a leaky bucket that all of it went through, drained at the rate: above the burst, the limit was exceeded."""
    level, before_ns = 0.0, entries[0][0]
    for time_ns, permits in entries:
        level = max(0.0, level - (time_ns - before_ns) * rate / 1e9) + permits
        before_ns = time_ns
        yield time_ns, level


def draw(path, rings, events, rate, burst):
    entries = admitted(rings)
    start_ns, end_ns = entries[0][0], entries[-1][0]
    counts = per_bin(entries, start_ns, end_ns)
    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(9, 5.5), layout="constrained")
    top.step([i * BIN_NS / 1e9 for i in range(len(counts))], [c * 1e9 / BIN_NS / rate for c in counts], where="post", color="tab:blue")
    top.axhline(1, color="tab:red", linestyle=":", linewidth=1)
    top.set_ylabel("admitted / rate, per 0.1 s")
    top.set_ylim(0, 2.6)
    levels = list(water(entries, rate))
    bottom.plot([(t - start_ns) / 1e9 for t, _ in levels], [level - burst for _, level in levels], color="tab:blue", linewidth=0.6)
    bottom.axhline(0, color="tab:red", linestyle=":", linewidth=1)
    bottom.set_ylabel("excess, permits")
    bottom.set_xlabel("seconds")
    for time_ns, name in events:
        at = (time_ns - start_ns) / 1e9
        for axes in (top, bottom):
            axes.axvline(at, color="gray", linewidth=0.8)
        top.text(at + 0.05, 2.5, name.split(":")[0], fontsize=8, va="top")
    worst = max(level for _, level in levels) - burst
    top.set_title(f"{len(rings)} processes, one limit of {rate}/s with burst {burst}: worst excess {worst:+.0f} permits", fontsize=10)
    figure.savefig(path, metadata={"Date": None})
