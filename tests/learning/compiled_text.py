"""Where a compiled function communicates, read off its HLO."""

import re

COLLECTIVE = re.compile(r"= .*\b(?:all-reduce|all-gather|reduce-scatter|collective-permute|all-to-all)(?:-start)?\(.*")
HEAD = re.compile(r"(?:ENTRY )?%?([\w.\-]+) \(.*\{$")


def collectives(text: str) -> dict:
    """How many collectives there are, and the groups of devices of those within loops, at any depth of calls."""
    bodies, name = {}, ""
    for line in text.splitlines():
        if head := HEAD.match(line):
            name = head[1]
        bodies[name] = bodies.get(name, "") + line + "\n"
    reached, waiting = set(), re.findall(r"body=%([\w.\-]+)", text)
    loops = len(waiting)
    while waiting:
        name = waiting.pop()
        if name in bodies and name not in reached:
            reached.add(name)
            waiting += re.findall(r"%([\w.\-]+)", bodies[name])
    inside = [line for name in reached for line in COLLECTIVE.findall(bodies[name])]
    groups = [re.search(r"replica_groups=(\S+?),? ", line)[1] for line in inside]
    return {"all": len(COLLECTIVE.findall(text)), "loops": loops, "groups": groups}
