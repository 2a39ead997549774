# Perennial. `make demo` and `make test` need Go, git and make, nothing else;
# `make help` lists the rest.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Modules and programs come from go.work and from the folders of main packages,
# so that a new one is built and checked without being listed here.
MODULES  := $(shell go work edit -json | sed -n 's|.*"DiskPath": "\./\(.*\)".*|\1|p')
PROGRAMS := $(sort $(patsubst services/%/main.go,%,$(wildcard services/*/main.go)))
PRODUCT  := $(addprefix ./,$(addsuffix /...,$(filter-out test,$(MODULES))))

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X github.com/perennial-cltv/perennial/pkg/ops.version=$(VERSION)

# Tools run at these versions, and are no part of the product's modules.
GOLANGCI_LINT_VERSION := v2.15.0
BUF_VERSION           := v1.75.0
PROTOC_GEN_GO_VERSION := v1.36.12
GOVULNCHECK_VERSION   := v1.8.0

TOOLS         := $(CURDIR)/bin/tools
GOLANGCI_LINT := $(TOOLS)/golangci-lint@$(GOLANGCI_LINT_VERSION)/golangci-lint
BUF           := $(TOOLS)/buf@$(BUF_VERSION)/buf
PROTOC_GEN_GO := $(TOOLS)/protoc-gen-go@$(PROTOC_GEN_GO_VERSION)/protoc-gen-go
GOVULNCHECK   := $(TOOLS)/govulncheck@$(GOVULNCHECK_VERSION)/govulncheck

# Knobs of the targets below.
SEEDS    ?= 1000
FUZZTIME ?= 10s
ARGS     ?=

##@ Use

.PHONY: demo
demo: bin/perennial ## Play real purchase history through everything, in one process, on this machine
	bin/perennial demo $(ARGS)

.PHONY: build
build: $(addprefix bin/,$(PROGRAMS)) ## Build bin/perennial and the services

# Go decides what is out of date; make always asks it.
bin/%: FORCE
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./services/$*

.PHONY: FORCE
FORCE:

##@ Test

# Everything below test/real speaks to servers that somebody must start; the
# rest of the tree is the simulation and the unit tests.
.PHONY: test
test: ## Unit tests and the fast simulation; needs no server
	go test -short -json $$(go list work | grep -v /test/real) | go run ./test/report -again 'go test -short -count=1'
	@scripts/not-run.sh

.PHONY: sim
sim: ## The simulation at length: SEEDS=n, or SEED=n to replay one
	PERENNIAL_TEST_SEEDS=$(SEEDS) PERENNIAL_TEST_SEED=$(SEED) go test -count=1 -timeout 30m -v $(ARGS) ./test/sim/...

.PHONY: real
real: build ## The same properties on real Kafka and Redis; PERENNIAL_REQUIRE_REAL=1 makes a skipped test a failure
	go test -count=1 -timeout 40m -p 1 -v $(ARGS) ./pkg/store/... ./pkg/stream/... ./test/real/...

.PHONY: bench
bench: ## CPU, memory and latency on real Kafka and Redis, with a pass-through beside it
	go run ./test/bench $(ARGS)

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME each
	scripts/fuzz.sh $(FUZZTIME)

##@ Check

.PHONY: check
check: check-format check-vet check-lint check-arrows check-proto check-tidy check-bits check-race check-vuln ## All of the following

.PHONY: check-format
check-format: ## Every Go file as gofmt writes it
	@files=$$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l); \
	  [ -z "$$files" ] || { echo "not as gofmt writes them:"; echo "$$files"; exit 1; }

.PHONY: check-vet
check-vet: ## go vet
	go vet work

.PHONY: check-lint
check-lint: $(GOLANGCI_LINT) ## golangci-lint, with the arrows between packages
	$(GOLANGCI_LINT) run $(addprefix ./,$(addsuffix /...,$(MODULES)))

.PHONY: check-arrows
check-arrows: $(GOLANGCI_LINT) ## Plant forbidden imports and see that the linter finds each
	GOLANGCI_LINT=$(GOLANGCI_LINT) scripts/check-arrows.sh

.PHONY: check-proto
check-proto: $(BUF) $(PROTOC_GEN_GO) ## Lint the schema, compare it with the last release, see that generated code is up to date
	cd proto && $(BUF) lint
	BUF=$(BUF) scripts/check-breaking.sh
	BUF=$(BUF) PROTOC_GEN_GO=$(PROTOC_GEN_GO) scripts/check-generated.sh

.PHONY: check-tidy
check-tidy: ## Each module tidy on its own, without the workspace
	@for m in $(MODULES); do echo "go mod tidy -diff in $$m"; (cd $$m && GOWORK=off go mod tidy -diff) || exit 1; done

.PHONY: check-bits
check-bits: ## Scores and states the same to the last bit, with and without fused multiply-add
	sh pkg/btyd/testdata/same-bits.sh
	GOAMD64=v1 go test -count=1 -run 'TestGolden$$' ./pkg/cltv
	GOAMD64=v1 GODEBUG=cpu.fma=off go test -count=1 -run 'TestGolden$$' ./pkg/cltv
	GOAMD64=v3 go test -count=1 -run 'TestGolden$$' ./pkg/cltv

.PHONY: check-race
check-race: ## The unit tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -short -timeout 20m $(PRODUCT)

.PHONY: check-vuln
check-vuln: $(GOVULNCHECK) ## Known vulnerabilities in what is called; says so where the database can't be reached
	GOVULNCHECK=$(GOVULNCHECK) scripts/check-vuln.sh $(filter-out test,$(MODULES))

##@ Change

.PHONY: generate
generate: $(BUF) $(PROTOC_GEN_GO) ## Write the Go code of the schema
	cd proto && PATH="$(dir $(PROTOC_GEN_GO)):$$PATH" $(BUF) generate

.PHONY: tools
tools: $(GOLANGCI_LINT) $(BUF) $(PROTOC_GEN_GO) $(GOVULNCHECK) ## Install the tools at their versions into bin/tools

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin

.PHONY: help
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# install PACKAGE@VERSION into the folder of the target
install = @echo "installing $(1)"; GOBIN=$(@D) GOWORK=off GOFLAGS= go install $(1)

$(GOLANGCI_LINT):
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION))
$(BUF):
	$(call install,github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION))
$(PROTOC_GEN_GO):
	$(call install,google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO_VERSION))
$(GOVULNCHECK):
	$(call install,golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION))
