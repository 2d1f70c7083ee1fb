# `make` lists what can be done. The logic is in Go, below localstack/.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

LOCAL  := .local
RUNNER := $(LOCAL)/bin/stack
GATE   := $(LOCAL)/tools/bin

##@ The stack on this machine

.PHONY: run up down logs tools gate-tools
run: runner ## start everything, send a sample, stay until Ctrl-C (SAMPLE=0, PROVIDER_URL=, PROVIDER_TOKEN=)
	@exec $(RUNNER) run

up: runner ## the same in the background; again: deploy what has changed
	@exec $(RUNNER) up

down: runner ## end what `make up` or `make run` started
	@exec $(RUNNER) down

logs: runner ## follow the logs of all three functions
	@exec $(RUNNER) logs

tools: runner ## install what the stack needs, below .local
	@exec $(RUNNER) tools

gate-tools: runner ## install what checks the code, below .local
	@exec $(RUNNER) gate-tools

.PHONY: runner
runner:
	@command -v go >/dev/null || { echo "Go 1.26 or newer is missing: install it from go.dev." >&2; exit 1; }
	@go build -o $(RUNNER) ./localstack/runner

##@ The functions

# SAM calls these (BuildMethod: makefile), and so does the local stack, with its own
# processor and system: the first for Lambda, the other for this machine.
ARCHITECTURE ?= $(shell awk '/^  [A-Z]/ { in_it = /^  Architecture:/ } in_it && /Default:/ { print $$2; exit }' template.yaml)
FUNCTION_GOOS   ?= linux
FUNCTION_GOARCH ?= $(patsubst x86_64,amd64,$(ARCHITECTURE))

# No VCS stamp: a commit alone must not make another program of the same code.
build-%Function:
	@CGO_ENABLED=0 GOOS=$(FUNCTION_GOOS) GOARCH=$(FUNCTION_GOARCH) go build -tags lambda.norpc -trimpath -buildvcs=false \
		-ldflags "-s -w" -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(shell echo $* | tr A-Z a-z)

.PHONY: build
build: ## build the three functions for Lambda, below .local/build
	@for f in Api Scheduler Sender; do $(MAKE) build-$${f}Function ARTIFACTS_DIR=$(LOCAL)/build/$${f}Function || exit 1; done

##@ The code

.PHONY: fmt lint test
fmt: gate-tools ## format
	@$(GATE)/gofumpt -w functions internal localstack

lint: gate-tools ## check formatting and the linters' rules
	@out=$$($(GATE)/gofumpt -l functions internal localstack) && test -z "$$out" || { echo "not formatted (make fmt):"; echo "$$out"; exit 1; }
	@go vet ./...
	@$(GATE)/golangci-lint run ./...

test: ## unit tests
	@go test ./...

.PHONY: clean
clean: ## remove all that was installed and built here (after `make down`)
	@if [ -x $(RUNNER) ]; then $(RUNNER) down; fi
	@rm -rf $(LOCAL) .aws-sam

##@ Help

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
