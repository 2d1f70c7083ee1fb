# `make` lists all commands. The logic is in Go, below localstack/.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

LOCAL  := .local
RUNNER := $(LOCAL)/bin/stack
GATE   := $(LOCAL)/tools/bin

##@ The stack on this machine

.PHONY: run up down logs tools gate-tools web-tools all-tools
run: runner tools ## start everything, send a sample, stay until Ctrl-C (SAMPLE=0, PROVIDER_URL=, PROVIDER_TOKEN=)
	@exec $(RUNNER) run

up: runner tools ## the same in the background; again: deploy what has changed
	@exec $(RUNNER) up

down: runner ## end what `make up` or `make run` started
	@exec $(RUNNER) down

logs: runner ## follow the logs of all three functions
	@exec $(RUNNER) logs

tools: ## install what the stack needs, below .local
	@localstack/tools/install.sh tools

gate-tools: ## install what checks the code, below .local
	@localstack/tools/install.sh gate-tools

web-tools: ## install what builds and checks the admin pages, below .local and in web/node_modules
	@localstack/tools/install.sh web-tools

all-tools: ## install all of these tools, side by side
	@localstack/tools/install.sh tools gate-tools web-tools

.PHONY: runner
runner:
	@command -v go >/dev/null || { echo "Go 1.26 or newer is missing: install it from go.dev." >&2; exit 1; }
	@go build -o $(RUNNER) ./localstack/runner

##@ The functions

# sam calls these targets (BuildMethod: makefile) to build for Lambda. The local stack
# calls them, too, and builds for this machine's system and processor.
# sam does not pass a stack's parameters to make: where Architecture is not the
# template's default, ARCHITECTURE has to have the same value.
ARCHITECTURE ?= $(shell awk '/^  [A-Z]/ { in_it = /^  Architecture:/ } in_it && /Default:/ { print $$2; exit }' template.yaml)
FUNCTION_GOOS   ?= linux
FUNCTION_GOARCH ?= $(patsubst x86_64,amd64,$(ARCHITECTURE))

# Without a VCS stamp, a new commit does not change the program of unchanged code.
build-%Function:
	@CGO_ENABLED=0 GOOS=$(FUNCTION_GOOS) GOARCH=$(FUNCTION_GOARCH) go build -tags lambda.norpc -trimpath -buildvcs=false \
		-ldflags "-s -w" -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(shell echo $* | tr A-Z a-z)

.PHONY: build
build: ## build the three functions for Lambda, below .local/build
	@for f in Api Scheduler Sender; do $(MAKE) build-$${f}Function ARTIFACTS_DIR=$(LOCAL)/build/$${f}Function || exit 1; done

##@ With SAM: docs/sam.md

.PHONY: deploy sam-api
deploy: gate-tools ## deploy to AWS: ENV=staging or production (CONFIRM=1: no question; BUCKET=, ROLE_ARN=)
	@test -n "$(processor)" || { echo "ENV=$(ENV): infra/parameters/$(ENV).yaml names no Architecture" >&2; exit 1; }
	@FUNCTION_GOOS=linux FUNCTION_GOARCH=$(patsubst x86_64,amd64,$(processor)) $(SAM) build
	@$(SAM) deploy --config-env $(ENV) $(if $(filter 1,$(CONFIRM)),--no-confirm-changeset) \
		$(if $(BUCKET),--no-resolve-s3 --s3-bucket $(BUCKET)) $(if $(ROLE_ARN),--role-arn $(ROLE_ARN))
	@$(LOCAL)/tools/gate/bin/python infra/stackpolicy.py $(ENV)

deploy: export SAM_CLI_TELEMETRY = 0
SAM = $(LOCAL)/tools/gate/bin/sam
# sam does not pass the Architecture of a stack to make, so it is read from the same file.
processor = $(shell sed -n 's/^Architecture: *\([a-z0-9_]*\).*/\1/p' infra/parameters/$(ENV).yaml 2>/dev/null)

sam-api: ## the api function in a container, at port 3000, with the data of the stack that runs; needs Docker
	@go build -o $(LOCAL)/bin/samapi ./localstack/samapi && exec $(LOCAL)/bin/samapi

##@ The API's keys

.PHONY: key
key: ## make a new key: ROLE=admin or viewer, NAME=who it is for
	@go build -o $(LOCAL)/bin/key ./infra/key && exec $(LOCAL)/bin/key "$(ROLE)" "$(NAME)"

##@ Clients

.PHONY: import
import: ## import a CSV file of any size: FILE= (API_URL=, API_KEY=, IGNORE_UNKNOWN=1); again: go on where it stopped
	@go build -o $(LOCAL)/bin/import ./infra/import && exec $(LOCAL)/bin/import "$$FILE"

import: export FILE := $(FILE)
import: export API_URL := $(API_URL)
import: export API_KEY := $(API_KEY)
import: export IGNORE_UNKNOWN := $(IGNORE_UNKNOWN)

##@ The code

.PHONY: fmt lint unit openapi web web-dev screenshots show-lighthouse mutate test
fmt: gate-tools ## format
	@$(GATE)/gofumpt -w functions infra internal localstack test web

lint: gate-tools ## check formatting and the linters' rules
	@out=$$($(GATE)/gofumpt -l functions infra internal localstack test web) && test -z "$$out" || { echo "not formatted (make fmt):"; echo "$$out"; exit 1; }
	@$(GATE)/golangci-lint run ./...

unit: ## the tests that need nothing but Go
	@go test ./...

openapi: ## write docs/openapi.yaml again, after Version in internal/api was raised
	@go test -count=1 -run 'TestTheDescriptionChangesOnlyWithItsVersion' ./internal/api -update-openapi

web: web-tools ## build the admin pages again, after a change below web
	@PATH="$(CURDIR)/.local/tools/node/bin:$$PATH" npm --prefix web run --silent types && go generate ./internal/webui

web-dev: web-tools ## the admin pages at port 8010, built again at each load, with the API of the stack that runs (API=)
	@go run ./web/bundle -serve 127.0.0.1:8010 -api $(or $(API),http://localhost:8000)

screenshots: web-tools ## pictures of all admin pages of the stack that runs, in docs/screenshots, and what axe-core finds (URL=, ONLY=)
	@go run ./test/screenshots -url $(or $(URL),http://localhost:8000) -only '$(ONLY)'

show-lighthouse: ## scores of the admin pages of the stack that runs, by Lighthouse (URL=, KEY=)
	@localstack/tools/install.sh lighthouse-tools
	@PATH="$(CURDIR)/.local/tools/node/bin:$$PATH" node test/lighthouse/run.mjs $(or $(URL),http://localhost:8000)

mutate: ## break the promise in many ways, one at a time: a test must find out each time
	@go run ./test/mutate

test: ## everything that checks it: linters, unit, store, fault and integration tests
	@test/gate/all.sh

##@ Figures: each runs the test that shows it, on a stack of its own

# show PART runs the part of the integration test with that name, and prints its
# figures.
show = @go test -count=1 -v -timeout 20m -tags integration -run 'TestStack/$(1)$$' ./test/integration 2>&1 | $(figures)
figures = sed -nE 's/^ *[a-z_]+_test\.go:[0-9]+: figure: //p; /^ *--- FAIL|^FAIL|_test\.go/p; s/^ok .*/passed/p'

.PHONY: show-sample show-throughput show-end show-window show-outage show-rejected show-first show-purge show-input show-start show-pause show-cancel show-retry show-redrive show-kills show-stop show-test show-access show-walk show-files show-api show-report show-docs show-pages show-metrics show-reads show-clients show-schemathesis show-template show-sam
show-sample: tools ## 500 messages, each once; info and fullinfo agree with the ledger
	$(call show,a_mailing_reaches_everyone_once)
show-throughput: tools ## 5,000 messages with the sending API at 200 ms
	$(call show,five_thousand_at_200_ms)
show-end: tools ## 5,000 messages, and the end comes in the middle
	$(call show,the_end_comes_while_it_is_running)
show-window: tools ## clients in four zones, two of them outside the window
	$(call show,side_by_side/a_window)
show-outage: tools ## the sending API down for 60 s in the middle
	@echo "this takes some minutes ..."
	$(call show,the_sending_API_is_down_for_a_while)
show-outage: export OUTAGE_SECONDS = 60
show-rejected: tools ## a phone that the sending API refuses
	$(call show,a_refused_phone_fails_alone)
show-first: tools ## from an idle stack to the first hand-over, and how long the POST takes
	$(call show,an_idle_stack_hands_over_within_two_seconds)
show-purge: tools ## the queue purged in the middle of a mailing
	@echo "this takes some minutes ..."
	$(call show,a_purged_queue_loses_nothing)
show-input: tools ## bad input, and its answers
	$(call show,side_by_side/bad_input)
show-start: tools ## a start 20 s ahead
	$(call show,a_start_ahead)
show-pause: tools ## paused and resumed in the middle
	$(call show,pause_and_resume)
show-cancel: tools ## cancelled in the middle
	$(call show,cancel)
show-retry: tools ## messages that failed, tried again
	$(call show,failures_are_tried_again)
show-redrive: tools ## the same by their dead letters
	$(call show,dead_letters_are_redriven)
show-kills: tools ## senders and scheduler killed in the middle of five mailings of 5,000
	@echo "this takes some minutes ..."
	$(call show,killed_five_times)
show-kills: export KILLS = large
show-stop: tools ## uncertain outcomes of a mailing that says on_uncertain: stop
	$(call show,an_uncertain_outcome_stops_a_message)
show-test: tools ## a test message
	$(call show,a_test_message)
show-access: ## no key: 401 everywhere; a viewer: 403 on all that writes
	@go test -count=1 -v -run 'TestEveryOperationThatIsNotPublicNeedsAKey|TestAViewerReadsAndChangesNothing' ./internal/api 2>&1 | $(figures)
	$(call show,side_by_side/keys)
show-walk: ## all operations and all documented errors, by the description alone
	@go test -count=1 -v ./test/walk 2>&1 | $(figures)
show-files: tools ## ten thousand clients imported and exported as CSV; the same request several times at once
	$(call show,(a_file_of_ten_thousand_clients|the_same_request_twice))
show-api: gate-tools ## how long the api function takes for a request and to start, and how large it is
	@go test -count=1 -v -timeout 5m -tags benchmarks ./test/benchmarks 2>&1 | $(figures)
	@go test -count=1 -v -timeout 5m -tags integration -run TestSAMBuilds ./test/template 2>&1 | $(figures)
show-template: gate-tools ## checks of template.yaml and of what SAM makes of it; wrong templates, each found
	@go test -count=1 -v -tags integration -run 'TestTheTemplatePassesTheChecks|TestWhatSAMMakesPassesTheChecks' ./test/template 2>&1 | $(figures)
show-sam: tools gate-tools ## all integration tests, on a stack that sam has built and deployed
	@echo "this takes a quarter of an hour ..."
	@DEPLOY=sam go test -count=1 -v -timeout 25m -tags integration ./test/integration 2>&1 | $(figures)
show-report: tools ## the daily report, asked for several times, arrives once
	$(call show,the_daily_report)
show-docs: ## the documentation in Chromium; a picture of it in docs/swagger-ui.png
	@SCREENSHOT="$(CURDIR)/docs/swagger-ui.png" go test -count=1 -v -timeout 5m -tags browser ./test/browser 2>&1 | $(figures)
show-pages: tools web-tools ## the admin pages in Chromium, by clicking and typing: a mailing's life, an import of 25,000 rows, keys, looks
	$(call show,the_admin_pages)
show-pages: export IMPORT_ROWS = 25000
show-pages: export LOOKS = all
show-reads: ## 40 reads a second for a minute at the stack that runs (RATE=, SECONDS=, KEY=): statuses and times
	go run ./test/reads
show-metrics: ## what GET /metrics gives, as parsers of Prometheus read it
	@go test -count=1 -v -run 'TestPrometheusReadsTheMetrics$$' ./internal/api 2>&1 | $(figures)
show-clients: gate-tools web-tools ## programs by all generators of clients pass one scenario (URL= and KEY=: with a stack that runs)
	@localstack/tools/install.sh clients-tools
	@echo "this takes some minutes ..."
	@CLIENTS_URL="$(URL)" CLIENTS_KEY="$(KEY)" go test -count=1 -v -timeout 30m -tags clients ./test/clients -all 2>&1 | $(figures)
show-schemathesis: tools gate-tools ## some thousand generated requests, good and bad ones, against the description
	@echo "this takes some minutes ..."
	@go test -count=1 -v -timeout 10m -tags integration ./test/schemathesis 2>&1 | $(figures)

.PHONY: clean
clean: ## remove all that was installed and built here (after `make down`)
	@if [ -x $(RUNNER) ]; then $(RUNNER) down; fi
	@rm -rf $(LOCAL) .aws-sam

##@ Help

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
