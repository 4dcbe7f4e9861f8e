# `make run` starts the NameServer on :9876; Go alone is enough for it.
# `make test` runs every test; it needs a JDK 17 and Maven for the real RocketMQ.

GO       ?= go
FUZZTIME ?= 5s
ARGS     ?=

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.PHONY: build
build: ## build bin/namesrv
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/ ./cmd/...

.PHONY: run
run: build ## start the NameServer on :9876 (ARGS='-c FILE' and other flags)
	exec bin/namesrv $(ARGS)

.PHONY: test
test: check unit fuzz e2e ## run every test

.PHONY: check
check: ## gofmt and vet
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./...

.PHONY: unit
unit: ## tests that need nothing but Go, with the race detector
	$(GO) test -race -timeout 10m ./...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each
	GO=$(GO) FUZZTIME=$(FUZZTIME) ./fuzz.sh

.PHONY: e2e
e2e: build ## real brokers, clients, mqadmin and NameServers (JDK 17, Maven)
	$(GO) test -tags e2e -p 1 -timeout 40m -count 1 ./e2e/...

.PHONY: captures
captures: ## make the golden captures anew from the real NameServers
	$(GO) run ./e2e/capture -versions 4.8.0,4.9.7,5.3.3 -out internal/nameserver/testdata/captures

.PHONY: bench
bench: build ## measure speed, memory and start against Java 5.3.3 and a canned server
	$(GO) run ./bench $(ARGS)

.PHONY: config-table
config-table: ## write the table of keys in CONFIGURATION.md anew
	$(GO) test ./cmd/namesrv -run TestConfigurationTable -update

.PHONY: smoke
smoke: ## signed conformance pass over a running stack (ENDPOINT=https://..., ARGS='-read PROFILE ...')
	$(GO) run ./infra/smoke -endpoint '$(ENDPOINT)' $(ARGS)

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
