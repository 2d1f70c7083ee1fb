#!/usr/bin/env bash
# All checks, one after the other beside the integration tests, each with how long
# it took. `make test` runs it; a part that cannot run here says so in the summary.
set -uo pipefail
cd "$(dirname "$0")/../.."

bin=$PWD/.local/tools/bin
log=$PWD/.local/test/log
mkdir -p "$log"
summary=()
failed=0

# part NAME COMMAND...: runs one part.
part() {
  local name=$1 start=$SECONDS result=ok
  shift
  echo "== $name"
  if ! "$@"; then
    result=FAILED
    failed=1
  fi
  summary+=("$(printf '%-52s %-7s %4d s' "$name" "$result" $((SECONDS - start)))")
}

formatted() {
  local files
  files=$("$bin/gofumpt" -l functions infra internal localstack test) || return 1
  [ -z "$files" ] || { echo "not formatted (make fmt): $files"; return 1; }
}

# The database of vulnerabilities is on the internet. Where it cannot be reached
# there is nothing to compare with; that is said, and fails nothing.
vulnerabilities() {
  local out status=0
  out=$("$bin/govulncheck" -tags integration,browser ./... 2>&1) || status=$?
  if [ $status -ne 0 ] && grep -q "fetching vulnerabilities" <<<"$out"; then
    echo "NOT CHECKED: govulncheck cannot reach its database from here"
    summary+=("$(printf '%-52s %s' "  (govulncheck)" "NOT CHECKED: its database cannot be reached from here")")
    return 0
  fi
  echo "$out"
  return $status
}

# cfn-lint on all templates: what only informs fails, too. A waiver is Metadata of the
# resource that it is about (cfn-lint: config: ignore_checks), with its reason beside it.
templates() {
  local all=(template.yaml) one
  for one in infra/*.yaml infra/*/*.yaml; do
    if [ -f "$one" ] && grep -q '^Resources:' "$one"; then all+=("$one"); fi
  done
  echo "${all[*]}"
  .local/tools/gate/bin/cfn-lint --regions us-east-1 --include-checks I --non-zero-exit-code informational -- "${all[@]}"
}

# tests NAME ARGUMENTS...: go test with the race detector. A skipped test fails:
# whoever skips one says why by removing it.
tests() { quick "$1" -race "${@:2}"; }

# by_sam is tests whose integration tests have their stack deployed as users have
# it on AWS. This machine's own way to deploy the template is tested in localstack.
by_sam() { DEPLOY=sam tests "$@"; }

# quick is the same without the race detector.
quick() {
  local name=$1 status=0
  shift
  go test -count=1 -v "$@" >"$log/$name.log" 2>&1 || status=$?
  grep -E '^(ok|FAIL|panic)|^ *--- (FAIL|SKIP)|figure:' "$log/$name.log" | sed -E 's/^ *[a-z_]+_test\.go:[0-9]+: figure/    figure/'
  if grep -qE '^ *--- SKIP' "$log/$name.log"; then
    echo "a test was skipped"
    status=1
  fi
  [ $status -eq 0 ] || grep -vE '^(=== |\{|ok )|^ *--- PASS|figure:|no test files' "$log/$name.log" | tail -200
  return $status
}

# served is all packages that test otherwise where there are services: they have
# other files then, or a DynamoDB. Those whose path matches the argument are left
# out, as are the others, which would do again what they did among the unit tests.
served() {
  local of='{{.ImportPath}} {{.GoFiles}} {{.TestGoFiles}} {{.XTestGoFiles}} {{.TestImports}} {{.XTestImports}}'
  {
    comm -13 <(go list -f "$of" ./... | sort) <(go list -tags integration -f "$of" ./... | sort)
    go list -tags integration -f "$of" ./... | grep /dynamotest
  } | cut -d ' ' -f 1 | sort -u | grep -vE "$1"
}

# The integration tests wait more than they work: for leases of what was killed,
# for a sending API to come back. So they begin first, and all else runs beside them.
begin_integration() {
  set -m # a process group of its own, to be ended as a whole
  by_sam integration -timeout 30m -tags integration ./test/integration >"$log/integration.out" 2>&1 &
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

part "tools" make gate-tools tools
# Alone, and without the race detector: it is timed.
part "figures of the api function" quick benchmarks -timeout 5m -tags benchmarks ./test/benchmarks
begin_integration
part "gofumpt" formatted
part "go vet" go vet -tags integration,browser,benchmarks ./...
part "golangci-lint" "$bin/golangci-lint" run ./...
part "govulncheck" vulnerabilities
part "sam validate --lint" .local/tools/gate/bin/sam validate --lint --template template.yaml --region us-east-1
part "cfn-lint" templates
part "unit tests" tests unit ./...
# Thousands of runs, and so without the race detector, which has met a part of them.
part "crash points, fault matrix, state machine" quick promise ./test/faults
# Over the real DynamoDB Local a run takes a hundred times as long: those that are
# about writes, a sample of each, without the race detector.
part "the same over DynamoDB Local" quick tables -timeout 15m -tags integration \
  -run 'TestMatrix|TestNoCallIs|TestAnyLife|IsLostByNoKill|TestAnImport|TestARequestWith|TestRedrive|TestRetryGives|TestADeferral' ./test/faults
part "browser test" tests browser -timeout 5m -tags browser ./test/browser
# shellcheck disable=SC2046 # a list of packages
part "tests with services: DynamoDB Local, LocalStack" by_sam services -timeout 20m -tags integration $(served 'test/(integration|faults)$')
part "integration tests, the rest of the time" end_integration

echo
printf '%s\n' "${summary[@]}"
echo "logs: .local/test/log"
[ $failed -eq 0 ] || { echo "FAILED"; exit 1; }
echo "all passed"
