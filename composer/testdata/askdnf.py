"""Reads repositories and requests as JSON, and prints for each request the packages
that dnf would install into an empty root, or null, as JSON."""
import json, logging, sys, tempfile
import dnf, dnf.exceptions, dnf.module.module_base, dnf.repo

logging.disable(logging.CRITICAL)
arg = json.load(sys.stdin)


def enable(base, specs):
    try:
        dnf.module.module_base.ModuleBase(base).enable(specs)
    except dnf.exceptions.MarkingErrors as e:
        if e.no_match_group_specs or e.error_group_specs:
            raise  # else default streams do not fit, which dnf warns of later on


def solve(case, root):
    base = dnf.Base()
    conf = base.conf
    conf.installroot, conf.cachedir, conf.persistdir, conf.logdir = root, arg["cache"], root, root
    conf.substitutions.update(arch="x86_64", basearch="x86_64", releasever="1")
    conf.install_weak_deps = case.get("recommends", False)
    conf.module_platform_id = "platform:f26"
    conf.excludepkgs = case.get("exclude", [])
    conf.reposdir = []
    for r in arg["repos"]:
        repo = dnf.repo.Repo(r["id"], conf)
        repo.baseurl, repo.priority = ["file://" + r["dir"]], r["priority"]
        repo.module_hotfixes = r.get("hotfixes", False)
        base.repos.add(repo)
    base.fill_sack(load_system_repo=False)
    try:
        if case.get("enable"):
            enable(base, case["enable"])
        if case.get("modules"):
            dnf.module.module_base.ModuleBase(base).install(case["modules"])
        for word in case.get("packages", []):
            base.install(word)
        base.resolve()
    except dnf.exceptions.Error:
        return None
    return sorted("%s-%s:%s-%s.%s" % (p.name, p.epoch, p.version, p.release, p.arch) for p in base.transaction.install_set)


out = []
for case in arg["cases"]:
    with tempfile.TemporaryDirectory() as root:
        out.append(solve(case, root))
json.dump(out, sys.stdout)
