# `make run` starts the NameServer on :9876; Go alone is enough for it.
# `make test` runs every test; it needs a JDK 17, Maven, Python 3 and Docker, which it starts itself as root on Debian.

GO       ?= go
FUZZTIME ?= 30000x
ARGS     ?=

ARCHITECTURE ?= arm64
BUILD_DIR    ?= .aws-sam/build

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.PHONY: build
build: ## build bin/namesrv, bin/shim and bin/compare
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/ ./cmd/...

.PHONY: run
run: build ## start the NameServer on :9876 (ARGS='-c FILE' and other flags)
	exec bin/namesrv $(ARGS)

.PHONY: run-shim
run-shim: build ## start the shim on :9876 (ARGS='--endpoint https://... --region ...' and other flags)
	exec bin/shim $(ARGS)

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
fuzz: ## every fuzz target, FUZZTIME inputs each
	GO=$(GO) FUZZTIME=$(FUZZTIME) ./fuzz.sh

# The tests of real brokers that are run through two shims as well, those of one release. So is parity, with the same
# random sequences each time: more of them are for PARITY_SEQUENCES=100 go test -tags e2e ./e2e/parity -shims 2.
THROUGH_SHIMS := ^(TestActingMaster|TestBrokersThatAskFirst|TestCompareWithJava|TestMasterAndSlave|TestMixedReleases|TestRegistrationInParts|TestRestart|TestTLS|TestWipedPermissionSurvivesRestart)$$/^5.3.3$$

.PHONY: e2e
e2e: build ## real brokers, clients and NameServers, and the stack locally (JDK 17, Maven, Python 3, Docker)
	$(GO) test -tags e2e -p 1 -timeout 40m -count 1 ./e2e/... ./cmd/namesrv
	$(GO) test -tags e2e -timeout 20m -count 1 ./e2e/brokers -shims 2 -run '$(THROUGH_SHIMS)'
	$(GO) test -tags e2e -timeout 20m -count 1 ./e2e/parity -shims 2 -run 'TestSameAsJava/^5.3.3$$' -rapid.seed 533

.PHONY: soak
soak: ## the soak test of make e2e for longer, and by other seeds (ARGS='-soak.steps 200 -soak.seed 0')
	$(GO) test -tags e2e -timeout 4h -count 1 -v ./e2e/soak $(ARGS)

.PHONY: captures
captures: ## make the golden captures anew from the real NameServers
	$(GO) run ./e2e/capture -versions 4.8.0,4.9.7,5.3.3 -out internal/nameserver/testdata/captures

.PHONY: bench
bench: build ## measure speed, memory and start against Java 5.3.3 and a canned server
	$(GO) run ./bench $(ARGS)

.PHONY: compare
compare: build ## in what two NameServers differ, Java's or ours (A=HOST:PORT B=HOST:PORT ARGS='--wait 60s')
	@bin/compare $(ARGS) $(A) $(B)

.PHONY: bench-shim
bench-shim: build ## measure the shim, and what it takes of the cloud, locally (JDK 17, Maven)
	$(GO) run ./bench shim $(ARGS)

.PHONY: cost
cost: ## what operations take of the table, and what a month costs (ARGS='--restarts 10 --shims 4')
	@$(GO) run ./infra/cost/report $(ARGS)

.PHONY: config-table
config-table: ## write the table of keys in CONFIGURATION.md anew
	$(GO) test ./cmd/namesrv -run TestConfigurationTable -update

# What the functions are built with: no RPC server of Lambda's retired runtime, no paths, no symbols, no libc.
FUNCTION_FLAGS := -tags=lambda.norpc -trimpath '-ldflags=-s -w'

.PHONY: functions
functions: ## build the functions for both architectures, bin/functions/ARCH/NAME/bootstrap
	for arch in arm64 amd64; do for name in register route sweeper; do \
	  GOOS=linux GOARCH=$$arch CGO_ENABLED=0 $(GO) build $(FUNCTION_FLAGS) -o bin/functions/$$arch/$$name/bootstrap ./functions/$$name || exit; \
	done; done

.PHONY: table
table: ## create $TABLE_NAME at $AWS_ENDPOINT_URL_DYNAMODB as template.yaml defines it
	AWS_ACCESS_KEY_ID=$${AWS_ACCESS_KEY_ID:-local} AWS_SECRET_ACCESS_KEY=$${AWS_SECRET_ACCESS_KEY:-local} AWS_REGION=$${AWS_REGION:-us-east-1} \
	  $(GO) run ./infra/table

.PHONY: sam-build
sam-build: ## build the stack with SAM into .aws-sam (ARCHITECTURE=x86_64 for such functions)
	PATH="$$(infra/tools.sh):$$PATH" SAM_CLI_TELEMETRY=0 CGO_ENABLED=0 GOFLAGS="$(FUNCTION_FLAGS) $$($(GO) env GOFLAGS)" \
	  sam build --build-dir $(BUILD_DIR) --parameter-overrides Architecture=$(ARCHITECTURE)

.PHONY: sam-local
sam-local: ## the API on http://127.0.0.1:3000, over DynamoDB Local (Docker, JDK 17, Maven)
	infra/sam-local.sh

# Parameters are not given here: SAM would forget those that were answered before and saved in samconfig.toml.
.PHONY: deploy
deploy: sam-build ## build and deploy the stack, asking for its parameters (ARGS='--config-env NAME': as saved)
	PATH="$$(infra/tools.sh):$$PATH" SAM_CLI_TELEMETRY=0 sam deploy $(or $(ARGS),--guided)

.PHONY: smoke
smoke: ## signed conformance pass over a running stack (ENDPOINT=https://..., ARGS='-read PROFILE ...')
	$(GO) run ./infra/smoke -endpoint '$(ENDPOINT)' $(ARGS)

# What the image verifies the API's certificate by; Debian's ca-certificates.
CA_CERTIFICATES ?= /etc/ssl/certs/ca-certificates.crt
IMAGE           ?= signpost

.PHONY: image
image: build ## build the container image $(IMAGE) of the shim from bin/ (Docker)
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && mkdir $$folder/bin $$folder/state && \
	  cp bin/namesrv bin/shim bin/compare $$folder/bin && cp $(CA_CERTIFICATES) $$folder/ca-certificates.crt && \
	  docker build -q -t $(IMAGE) -f packaging/Dockerfile $$folder

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
