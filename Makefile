# Every target is one line; what is longer is a script in test/.
SUITE ?= forky
LINT = go tool -modfile=.ci/lint.mod golangci-lint

.PHONY: build install package test test-unit test-e2e test-matrix test-trixie test-bookworm demo demo-shell demo-wipe bench fuzz docs lint fmt

build: ## bin/ocisi, static; with VERSION=v1.2.3 the same bytes wherever it is built
	CGO_ENABLED=0 go build -trimpath $(if $(VERSION),-buildvcs=false) -ldflags '-s -w$(if $(VERSION), -X main.version=$(VERSION))' -o bin/ocisi ./cmd/ocisi

install: build ## all that a package has, below DESTDIR/usr; GOARCH=arm64 for another machine
	packaging/install.sh bin/ocisi '$(DESTDIR)'

package: ## all packages, built and looked into; as root on Debian, which gets the tools
	test/package.sh

test: test-unit test-e2e ## everything, on the real engines of the newest suite too

test-unit: ## with the race detector where there is a C compiler, which it wants
	GORACE=atexit_sleep_ms=0 go test -timeout 30m $(if $(shell command -v gcc),-race) ./...

test-e2e: ## the stories on the real engines of SUITE
	cd test/e2e && go test -tags e2e -count 1 -timeout 60m -suite $(SUITE) $(E2E)

test-matrix: ## the same stories on the older suites, both at once; killing is tried on the newest only
	$(MAKE) --jobs 2 --output-sync test-trixie test-bookworm

test-trixie test-bookworm: test-%:
	$(MAKE) test-e2e SUITE=$* E2E='-skip TestFaults'

demo: ## a throw-away host, and ocisi setup in it
	test/demo.sh

demo-shell:
	OCISI_HOST_NAME=oc-demo test/host/host.sh shell forky

demo-wipe:
	OCISI_HOST_NAME=oc-demo test/host/host.sh wipe forky

bench: ## docs/benchmarks.md; a throw-away host for what is compared with other programs
	go test -run '^$$' -bench . -benchmem ./... && test/bench.sh

fuzz: ## FUZZTIME each
	test/fuzz.sh

docs: ## what is generated from the commands and the config: docs/cli, the schema
	go run ./cmd/gendocs

lint:
	$(LINT) run ./...

fmt:
	$(LINT) fmt ./...
