package main

// Commands that bring a repository to where a row's work begins.
var (
	initArchive  = []string{"init", "--repo=repo", "--mode=archive"}
	initBareUser = []string{"init", "--repo=repo", "--mode=bare-user"}
	commitV1     = []string{"commit", "--repo=repo", "-b", "main", "-s", "1", "--tree=dir={v1}"}
	commitV2     = []string{"commit", "--repo=repo", "-b", "main", "-s", "2", "--tree=dir={v2}"}
)

// rows are the work that is measured, with goals against ostree 2022.7.
var rows = []row{
	{name: "commit cold, archive", goal: 8, cpu: 4, setup: [][]string{initArchive}, run: commitV1, after: &sizeLimit{"repo/objects", 1.03}},
	{name: "commit 2nd version, archive", goal: 10, setup: [][]string{initArchive, commitV1}, run: commitV2},
	{name: "commit same again, archive", goal: 40, setup: [][]string{initArchive, commitV1}, run: commitV1},
	{name: "commit cold, bare-user", goal: 3, setup: [][]string{initBareUser}, run: commitV1},
	{name: "commit same again, bare-user", goal: 8, setup: [][]string{initBareUser, commitV1}, run: commitV1},
	{name: "fsck, archive", goal: 4, setup: [][]string{initArchive, commitV1}, run: []string{"fsck", "--repo=repo"}},
	{name: "fsck, bare-user", goal: 6, setup: [][]string{initBareUser, commitV1}, run: []string{"fsck", "--repo=repo"}},
	{name: "checkout -U, archive", goal: 2, setup: [][]string{initArchive, commitV1}, run: []string{"checkout", "--repo=repo", "-U", "main", "out"}},
	{name: "checkout -U -H, bare-user", goal: 1, setup: [][]string{initBareUser, commitV1}, run: []string{"checkout", "--repo=repo", "-U", "-H", "main", "out"}},
	{name: "ls -R", goal: 1.5, setup: [][]string{initArchive, commitV1}, run: []string{"ls", "--repo=repo", "-R", "main"}},
	{name: "diff, two commits", goal: 1.5, setup: [][]string{initArchive, commitV1, commitV2}, run: []string{"diff", "--repo=repo", "main^", "main"}},
	{name: "diff, commit and folder", goal: 5, setup: [][]string{initArchive, commitV1}, run: []string{"diff", "--repo=repo", "main", "{v2}"}},
	{name: "log", goal: 1.5, setup: [][]string{initArchive, commitV1, commitV2}, run: []string{"log", "--repo=repo", "main"}},
	{name: "prune", goal: 1.5, setup: [][]string{initArchive, commitV1, commitV2}, run: []string{"prune", "--repo=repo", "--refs-only", "--depth=0"}},
}
