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
# Modules of their own: tests that need the clients of Kubernetes, MCP and Prometheus, and the
# benchmarks, and the packages of a release. go vet is part of their tests.
MODULES      = cmd/wspipetest/kubernetes cmd/wspipetest/mcp cmd/wspipetest/prometheus bench .ci/dist
# Flags for make bench, such as ARGS='-run=echo -rounds=1', which writes no RESULTS.md;
# bin/wspipe-bench -h lists all.
ARGS        ?= -o bench/RESULTS.md

.PHONY: build run test check gofmt vet staticcheck unit modules fuzz fuzz-targets bench bench-quick screenshots test-wine deps dist notices vendor install clean

build:
	$(GO) build -trimpath -ldflags "-X wspipe/cmd.release=$(VERSION)" -o bin/wspipe .
	@if [ -n "$(ALIAS)" ]; then ln -sf wspipe bin/$(ALIAS); fi

run: build
	./bin/wspipe --port=$(PORT) --devconsole ./examples/bash/count.sh

# Everything CI runs. Checks and modules take the processor while most tests wait.
test: deps
	$(MAKE) -j2 unit check modules
	$(MAKE) fuzz-targets

check: gofmt vet staticcheck

gofmt:
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted:" $$unformatted; exit 1; fi

vet:
	GOOS=linux $(GO) vet ./...
	GOOS=linux GOARCH=arm $(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	GOOS=windows $(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) ./...
	for module in $(MODULES); do $(GO) run -C $$module $(STATICCHECK) ./... || exit; done

# Most tests wait for something most of the time.
unit:
	$(GO) test -race -count=1 -parallel=6 -timeout=20m ./...

modules:
	for module in $(MODULES); do $(GO) test -C $$module -race -vet=all -count=1 -parallel=6 -timeout=5m ./... || exit; done

fuzz: FUZZTIME = 30s
fuzz: fuzz-targets

# Each package with fuzz targets is built once.
fuzz-targets:
	@set -e; for dir in $$(grep -rl '^func Fuzz' --include=*_test.go . | xargs -n1 dirname | sort -u); do \
		$(GO) test -c -fuzz=. -o bin/fuzz.test $$dir; \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9]*' $$dir/*_test.go | cut -c6-); do \
			echo "$$dir $$target"; \
			(cd $$dir && $(CURDIR)/bin/fuzz.test -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(FUZZTIME) -test.fuzzcachedir $(CURDIR)/bin/fuzz); \
		done; \
	done

# wspipe beside websocketd (Linux): ten minutes, and it writes bench/RESULTS.md. The machine
# should have nothing else to do.
bench: bin/wspipe-bench
	./bin/wspipe-bench $(ARGS)

# The same rows in three minutes, to compare before and after a change.
bench-quick: bin/wspipe-bench
	./bin/wspipe-bench -quick

bin/wspipe-bench: build
	$(GO) build -C bench -trimpath -o ../$@ .

# The pictures of the console in the manual, of which one shows a recording: docs/vim.cast.
screenshots: deps
	SCREENSHOTS=$(CURDIR)/docs $(GO) test -count=1 -run '^TestScreenshots$$' ./static

# The program for Windows, under Wine: as root, apt-get install wine64 gcc-mingw-w64-x86-64
test-wine:
	TEST_WINE=1 $(GO) test -count=1 -timeout=5m -v -run '^TestWine$$' ./cmd/wspipetest

# The system packages that the tests use, where apt and root can bring them.
deps:
	@.ci/deps

# The packages of a release, reproducible, in dist/: docs/RELEASING.md.
dist:
	$(GO) run -C .ci/dist . -o $(CURDIR)/dist

# cmd/notices.txt, after a change of go.mod or make vendor.
notices:
	$(GO) run -C .ci/dist . -notices

# The console's terminal, from the npm registry: it changes nothing unless .ci/vendor has.
vendor:
	@.ci/vendor

install: build
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 bin/wspipe $(DESTDIR)$(PREFIX)/bin/wspipe
	@if [ -n "$(ALIAS)" ]; then ln -sf wspipe $(DESTDIR)$(PREFIX)/bin/$(ALIAS); fi

clean:
	rm -rf bin dist
