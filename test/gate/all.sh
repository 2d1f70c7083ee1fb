#!/usr/bin/env bash
# Runs all checks in sequence, beside the integration tests, and prints the time of
# each. `make test` runs this script. The summary reports a part that cannot run here.
set -uo pipefail
cd "$(dirname "$0")/../.."

bin=$PWD/.local/tools/bin
log=$PWD/.local/test/log
mkdir -p "$log"
summary=()
failed=0

# used sets used to the processor time, in seconds, of all children that have ended.
used() {
  times >"$log/times" # in this shell: a subshell has other children
  used=$(awk 'NR == 2 { split($0, t, /[ms ]+/); print int(t[1] * 60 + t[2] + t[3] * 60 + t[4]) }' "$log/times")
}

# part NAME COMMAND... runs one part.
part() {
  local name=$1 start=$SECONDS before result=ok
  used
  before=$used
  shift
  echo "== $name"
  if ! "$@"; then
    result=FAILED
    failed=1
  fi
  used
  summary+=("$(printf '%-52s %-7s %4d s, %4d s of processor time' "$name" "$result" $((SECONDS - start)) $((used - before)))")
}

formatted() {
  local files
  files=$("$bin/gofumpt" -l functions infra internal localstack test web) || return 1
  [ -z "$files" ] || { echo "not formatted (make fmt): $files"; return 1; }
}

# The database of vulnerabilities is on the internet. If it cannot be reached, which a small
# package shows soon, the check is reported as not done, and does not fail.
vulnerabilities() {
  local out status=0
  out=$("$bin/govulncheck" ./internal/clock 2>&1 && "$bin/govulncheck" -tags integration,browser ./... 2>&1) || status=$?
  if [ $status -ne 0 ] && grep -q "fetching vulnerabilities" <<<"$out"; then
    echo "NOT CHECKED: govulncheck cannot reach its database from here"
    summary+=("$(printf '%-52s %s' "  (govulncheck)" "NOT CHECKED: its database cannot be reached from here")")
    return 0
  fi
  echo "$out"
  return $status
}

# Runs cfn-lint on all templates. Findings of the level informational fail, too. An
# exception is in the Metadata of its resource (cfn-lint: config: ignore_checks), with
# its reason beside it.
templates() {
  local all=(template.yaml) one
  for one in infra/*.yaml infra/*/*.yaml; do
    if [ -f "$one" ] && grep -q '^Resources:' "$one"; then all+=("$one"); fi
  done
  echo "${all[*]}"
  .local/tools/gate/bin/cfn-lint --regions us-east-1 --include-checks I --non-zero-exit-code informational -- "${all[@]}"
}

# pages checks the admin pages: the types are those of the API's description, the code passes
# the type check and its tests, and the committed bundle is what the sources make.
pages() {
  local made=$PWD/.local/test/web
  (
    export PATH=$PWD/.local/tools/node/bin:$PATH
    cd web && npm run --silent types -- --check && npm run --silent check && npm run --silent test
  ) && go run ./web/bundle -to "$made" && diff -r "$made" internal/webui/dist
}

# tests NAME ARGUMENTS... runs go test with the race detector. A skipped test fails: a
# test that cannot run has to be removed, with a reason.
tests() { quick "$1" -race "${@:2}"; }

# quick NAME ARGUMENTS... runs go test as tests does, but without the race detector. The
# limit of an hour is for a machine that is busy with other work. golangci-lint has the rules
# of go vet, so go test does not check them again. Without symbols a program is linked sooner.
quick() {
  local name=$1 status=0
  shift
  go test -count=1 -vet=off -ldflags "-s -w" -timeout 60m -v "$@" >"$log/$name.log" 2>&1 || status=$?
  grep -E '^(ok|FAIL|panic)|^ *--- (FAIL|SKIP)|figure:' "$log/$name.log" | sed -E 's/^ *[a-z_]+_test\.go:[0-9]+: figure/    figure/'
  if grep -qE '^ *--- SKIP' "$log/$name.log"; then
    echo "a test was skipped"
    status=1
  fi
  [ $status -eq 0 ] || grep -vE '^(=== |\{|ok )|^ *--- PASS|figure:|no test files' "$log/$name.log" | tail -200
  return $status
}

# promise runs the state machine, which uses one processor, beside the other tests of faults.
promise() {
  local machine status=0
  quick machine -run 'TestRandomRuns' ./test/faults >"$log/machine.out" 2>&1 &
  machine=$!
  quick promise -skip 'TestRandomRuns' ./test/faults || status=$?
  wait "$machine" || status=$?
  cat "$log/machine.out"
  return $status
}

# served lists the packages that have tests of their own with services, in files with the
# tag integration. The longest one, which mostly uses one processor, is the first.
served() {
  local of='{{.ImportPath}} {{.GoFiles}} {{.TestGoFiles}} {{.XTestGoFiles}}'
  comm -13 <(go list -f "$of" ./... | sort) <(go list -tags integration -f "$of" ./... | sort) | cut -d ' ' -f 1 | grep -vE "$1" | sort -r
}

# The integration tests mostly wait: for the leases of killed processes, or until the
# sending API answers again. So they begin first, and all other parts run beside them.
# Their stack is deployed by sam, as on AWS. The tests below localstack cover this machine's
# own way to deploy. The race detector is off: the functions are other processes, and the
# fake provider and the proxies, which run in this one, have their own tests with it. It
# would take as much of the processor as the functions do.
begin_integration() {
  set -m # a process group of its own, which can be ended as a whole
  DEPLOY=sam quick integration -tags integration ./test/integration >"$log/integration.out" 2>&1 &
  integration=$!
  set +m
  trap 'kill -- -$integration 2>/dev/null' EXIT
}

end_integration() {
  local status=0
  wait "$integration" || status=$?
  trap - EXIT
  cat "$log/integration.out"
  return $status
}

part "tools" make all-tools
# This part runs alone and without the race detector, because it measures times.
part "figures of the api function" quick benchmarks -tags benchmarks ./test/benchmarks
begin_integration
part "gofumpt" formatted
part "golangci-lint, with go vet's rules" "$bin/golangci-lint" run ./...
part "govulncheck" vulnerabilities
part "sam validate --lint" .local/tools/gate/bin/sam validate --lint --template template.yaml --region us-east-1
part "cfn-lint" templates
part "admin pages: types, tests, bundle" pages
part "unit tests" tests unit ./...
# These are thousands of runs, so the race detector is off. The unit tests above run a
# part of them with it.
part "crash points, fault matrix, state machine" promise
# Over the real DynamoDB Local a run takes a hundred times as long. So this part runs
# only the tests about writes, a sample of each, without the race detector.
part "the same over DynamoDB Local" quick tables -tags integration \
  -run 'TestAFaultAtAnyCall|TestRandomRuns|IsLostByNoKill|TestAnImport|TestARequestWith' ./test/faults
# The store's tests run over the tables in memory with the unit tests, and here over DynamoDB
# Local. Both pass the same tests, so the packages that only use the store do not run twice.
part "the store over DynamoDB Local" quick store -tags integration ./internal/dynamo
part "programs by three generators of clients" quick clients -tags clients ./test/clients
part "browser test" tests browser -tags browser ./test/browser
# These tests start processes and wait for them, so the race detector is off. The unit tests
# of the same packages run with it.
# shellcheck disable=SC2046 # a list of packages
part "tests with services: LocalStack, SAM" quick services -tags integration $(served 'test/(integration|faults)$')
part "integration tests, the rest of the time" end_integration

echo
printf '%s\n' "${summary[@]}"
echo "logs: .local/test/log"
[ $failed -eq 0 ] || { echo "FAILED"; exit 1; }
echo "all passed"
