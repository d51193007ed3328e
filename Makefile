# wspipe: see README.md. `make run` and `make test` need Go and make only.
GO          ?= go
PREFIX      ?= /usr/local
PORT        ?= 8080
# How long each fuzz target runs in make test; make fuzz runs them longer.
FUZZTIME    ?= 1s
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null)
# websocketd's users find wspipe under the old name, too; ALIAS= skips that.
ALIAS       ?= websocketd
STATICCHECK  = honnef.co/go/tools/cmd/staticcheck@v0.8.2
BENCHSTAT    = golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
# A module of its own, of tests only: what it needs is none of ours. go vet is
# part of its tests.
KUBERNETES   = cmd/wspipetest/kubernetes
# Flags of make bench, such as ARGS='-run=echo -rounds=1'; bin/bench/bench -h tells all.
ARGS        ?=

.PHONY: build run test check gofmt vet staticcheck unit fuzz fuzz-targets bench bench-compare screenshots deps vendor install clean

build:
	$(GO) build -trimpath -ldflags "-X wspipe/cmd.release=$(VERSION)" -o bin/wspipe .
	@if [ -n "$(ALIAS)" ]; then ln -sf wspipe bin/$(ALIAS); fi

run: build
	./bin/wspipe --port=$(PORT) --devconsole ./examples/bash/count.sh

# Everything CI runs.
test: deps check unit fuzz-targets

check: gofmt vet staticcheck

gofmt:
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted:" $$unformatted; exit 1; fi

vet:
	GOOS=linux $(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	GOOS=windows $(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) ./...
	$(GO) run -C $(KUBERNETES) $(STATICCHECK) ./...

# Most tests wait for something most of the time.
unit:
	$(GO) test -race -count=1 -parallel=6 -timeout=10m ./...
	$(GO) test -C $(KUBERNETES) -race -vet=all -count=1 -parallel=6 -timeout=5m ./...

fuzz: FUZZTIME = 30s
fuzz: fuzz-targets

fuzz-targets:
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

# wspipe beside websocketd, and the bare machine (Linux): writes bench/RESULTS.md.
# The machine should have nothing else to do.
bench: build
	$(GO) build -trimpath -o bin/bench/ ./bench ./bench/bare ./bench/load ./bench/profiled
	./bin/bench/bench $(ARGS)

# How the benchmarks went at the commit BASE and how they go now, for minutes. bench/compare.sh
# says what else there is to choose.
bench-compare:
	@exec env GO=$(GO) BENCHSTAT=$(BENCHSTAT) bench/compare.sh

# The pictures of the console in README.
screenshots: deps
	SCREENSHOTS=$(CURDIR)/docs $(GO) test -count=1 -run '^TestScreenshots$$' ./static

# The system packages that the tests use, where apt and root can bring them.
deps:
	@.ci/deps

# The console's terminal, from the npm registry: it changes nothing unless .ci/vendor has.
vendor:
	@.ci/vendor

install: build
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 bin/wspipe $(DESTDIR)$(PREFIX)/bin/wspipe
	@if [ -n "$(ALIAS)" ]; then ln -sf wspipe $(DESTDIR)$(PREFIX)/bin/$(ALIAS); fi

clean:
	rm -rf bin
