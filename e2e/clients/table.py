"""Prints operation by client from the counts that emulators left: table.py FOLDER."""

import collections
import json
import pathlib
import sys

calls = collections.defaultdict(collections.Counter)
unknown = collections.Counter()
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    # CLIENT-….json: names of clients are one word.
    client = file.stem.split("-")[0]
    counts = json.loads(file.read_text())
    for operation in counts["operations"]:
        calls[operation["name"]][client] += operation["calls"]
    for request, times in counts["unknown"].items():
        unknown[(client, request)] += times

clients = sorted({client for row in calls.values() for client in row})
width = max(map(len, calls), default=9)
print("OPERATION".ljust(width), *(client.upper().rjust(7) for client in clients))
for name, row in calls.items():
    if any(row.values()):
        print(name.ljust(width), *(str(row[client] or "-").rjust(7) for client in clients))
never = [name for name, row in calls.items() if not any(row.values())]
if never:
    print("called by none:", ", ".join(never))
for (client, request), times in sorted(unknown.items()):
    print(f"not understood: {times} × {request} ({client})")
