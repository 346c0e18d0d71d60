# make test   everything that must hold, on a fresh machine
# make demo   the whole of Ward on one machine
# make bench  measure, beside others, in one run
# make lint   gofmt, vet and staticcheck
# make fuzz   each fuzz target for FUZZTIME, or as many executions: FUZZTIME=1000000x
# make soak   the campaigns of the tests at full length; hours

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 10m
# A folder with the official schemas and samples, which are not ours to ship. With
# it the tests also compare Ward with them; continuous integration must have it.
WARD_REFERENCE ?=
comma := ,
TAGS = oracle,zeep,npm,testssl,bench,verifier,postgres,faults,ldap$(if $(WARD_REFERENCE),$(comma)reference,)
export WARD_REFERENCE

.PHONY: test demo bench lint fuzz soak tools fast race long fuzz-short

test: tools fast lint race long fuzz-short

demo:
	$(GO) run ./cmd/demo

# What the tests need besides Go: an independent XML parser, SOAP
# clients, proxy and TLS tester.
tools:
	sh scripts/tools.sh

# What fails soonest; race runs the rest as well.
fast:
	$(GO) build ./...
	$(GO) test -short ./cpis ./client ./internal/itk ./internal/hl7 ./internal/soap ./internal/xmlstrict ./internal/config ./internal/gateway ./internal/shown ./internal/wording ./test/docs

lint:
	@test -z "$$(gofmt -l .)" || { echo "not gofmt-clean:"; gofmt -l .; exit 1; }
	$(GO) vet -tags $(TAGS) ./...
	$(GO) run $(STATICCHECK) -tags $(TAGS) ./...

# Most tests wait more than they compute, so that more of them than there are cores run
# at a time, but for those that measure time.
MANY = -parallel 6

# The packages in which goroutines meet, and conversations over the asynchronous pattern,
# in which most do. The others say nothing new about races, or run the provider as a
# process of its own, which has no race detector in it: long runs them. Those that take
# longest come first: here two by name, in long the packages of test/.
RACE = /ward/(client|internal/(audit|budget|clients|gateway|handshake|provider|replies|sds|pds|server|spine|telemetry)|internal/audit/(publish|standby)|internal/spine/circuit|test/endtoend)$$
race:
	WARD_PATTERN=async $(GO) test -race -short $(MANY) ./test/endtoend ./internal/audit $$($(GO) list ./... | grep -E '$(RACE)')

# Oracles, reference data, independent clients and verifiers, PostgreSQL, faults,
# crashes and many questions.
# Those of ALONE measure time, and run one at a time.
ALONE = /ward/(internal/budget|test/(attack|replicas))$$
long:
	WARD_INTERLEAVED=10000 $(GO) test -tags $(TAGS) -vet=off -count=1 -p 2 $(MANY) -timeout 15m $$($(GO) list -tags $(TAGS) ./... | grep -vE '$(ALONE)' | sort -r)
	$(GO) test -tags $(TAGS) -vet=off -count=1 -p 1 -timeout 15m $$($(GO) list -tags $(TAGS) ./... | grep -E '$(ALONE)')
	WARD_PATTERN=sds $(GO) test -vet=off -count=1 $(MANY) -run 'Story|Once|Replay|Stop' ./test/endtoend
	$(GO) run ./cmd/demo -once > /dev/null
	$(GO) run ./cmd/demo -once -pattern async > /dev/null

# The campaigns of long, for hours.
soak:
	WARD_CRASH_ROUNDS=1000 $(GO) test -tags $(TAGS) -vet=off -count=1 -timeout 6h -v -run TestKilled ./test/crash
	WARD_TAMPERINGS=10000 $(GO) test -tags $(TAGS) -vet=off -count=1 -timeout 2h -v -run 'AnyByte|AnyChange' ./internal/audit ./internal/audit/postgres
	WARD_FAULTS=all $(GO) test -tags $(TAGS) -vet=off -count=1 -timeout 2h -run 'Faults|Full' ./internal/audit
	WARD_INTERLEAVED=100000 $(GO) test -vet=off -count=1 -timeout 1h -run Interleaved ./test/endtoend
	WARD_ATTACK=10m $(GO) test -vet=off -count=1 -timeout 1h -run UnderAttack ./test/attack
	WARD_REPLICAS=10m $(GO) test -tags $(TAGS) -vet=off -count=1 -timeout 1h -run ThreeReplicas ./test/replicas

fuzz:
	GO=$(GO) sh scripts/fuzz.sh $(FUZZTIME)

fuzz-short:
	GO=$(GO) TAGS=$(TAGS) sh scripts/fuzz.sh 10000x plain

# The audit log is measured at WARD_BENCH_ENTRIES entries, in a database that is made
# once and kept in the folder for temporary files.
bench:
	$(GO) run ./bench
	$(GO) run ./bench -patterns
	$(GO) test -run '^$$' -bench 'Append|Rows|Paced|Seal' -benchtime 20000x ./internal/audit ./internal/audit/seal
	$(GO) test -run '^$$' -bench 'Scale/append' -benchtime 60000x -timeout 2h ./internal/audit
	$(GO) test -run '^$$' -bench 'Scale/(search|proof)' -benchtime 2000x ./internal/audit
	$(GO) test -run '^$$' -bench 'Scale/(verify|check)' -benchtime 1x -timeout 1h ./internal/audit
	$(GO) test -run '^$$' -bench 'Memory' -benchtime 1x ./internal/audit
	$(GO) test -run '^$$' -bench . ./internal/audit/evidence
