# treewright's targets; `make help` lists them.

GO      ?= go
BIN     := bin/treewright
FUZZ_TIME ?= 10s
E2E_DIR ?= .e2e
DEMO_DIR ?= .demo
BENCH_DIR ?= .bench

.DEFAULT_GOAL := help
.PHONY: build test unit peers lint fuzz fuzz-solver bench conformance demo e2e docs golden ci help clean

build: ## build bin/treewright, one static binary with the same bytes anywhere
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/treewright

peers: ## install the tools that the tests ask for a second opinion (Debian; once)
	@hack/peers.sh

test: peers unit ## install the peers, then run every test but the boots

unit: ## run every test but the boots, with the peers that are there
	$(GO) test ./...

lint: ## gofmt, go vet, import rules
	@test -z "$$(gofmt -l cmd pkg composer hack)" || { gofmt -l cmd pkg composer hack; echo "run gofmt -w on these"; exit 1; }
	$(GO) vet ./...
	$(GO) test ./hack/importrules

fuzz: ## run each fuzz test for FUZZ_TIME (default 10s)
	@hack/fuzz.sh $(FUZZ_TIME)

fuzz-solver: peers ## compare CASES random problems with libsolv (default 5000), from FIRST on
	$(GO) test ./pkg/solver -count 1 -run AgainstLibsolv -v -cases $(or $(CASES),5000) -first-case $(or $(FIRST),1)

bench: build peers ## run the benchmarks, with the peer tools measured beside (ROWS="WORD…": only these rows of whole commands)
	$(if $(ROWS),,$(GO) test -run '^$$' -bench . -benchmem ./...)
	$(GO) run ./hack/bench -treewright $(BIN) -corpus $(BENCH_DIR) $(ROWS)

conformance: build peers ## libostree's own test suite with our binary as ostree (ALL=1: every script, stock beside it)
	$(GO) run ./hack/conformance -ostree $(BIN) $(if $(ALL),-all)

demo: build ## the main job on a small embedded RPM repository: no network, no root
	@$(GO) run ./hack/demo -treewright $(BIN) -dir $(DEMO_DIR)

e2e: build peers ## a real Debian tree: compose, images, boots under QEMU, delta (needs the Debian mirror)
	$(GO) test -tags e2e -count 1 -timeout 60m -v ./hack/e2e

docs: ## write docs/cli.md and docs/treewright.1 from the commands
	$(GO) run ./cmd/treewright docs --dir docs

golden: ## rewrite the expected outputs of the command-line tests
	$(GO) test ./cmd/... -update

ci: ## what CI runs
	bash .ci/run

clean: ## remove what the targets made
	rm -rf bin $(E2E_DIR) $(DEMO_DIR) $(BENCH_DIR)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
