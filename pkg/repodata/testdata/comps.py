"""Prints what libcomps reads of comps files as JSON."""
import json, sys
import libcomps

KIND = {libcomps.PACKAGE_TYPE_MANDATORY: "mandatory", libcomps.PACKAGE_TYPE_DEFAULT: "default",
        libcomps.PACKAGE_TYPE_OPTIONAL: "optional", libcomps.PACKAGE_TYPE_CONDITIONAL: "conditional"}
comps = libcomps.Comps()
comps.fromxml_str(sys.stdin.read())
json.dump({
    "groups": [[g.id, g.name, bool(g.default), [[p.name, KIND[p.type]] for p in g.packages]] for g in comps.groups],
    "environments": [[e.id, e.name, [i.name for i in e.group_ids], [i.name for i in e.option_ids]] for e in comps.environments],
}, sys.stdout)
