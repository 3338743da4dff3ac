# Every target is one line; what is longer is a script in test/.
SUITE ?= forky
LINT = go tool -modfile=.ci/lint.mod golangci-lint
JOBS ?= 3
FAULTS = ^(TestFaults|TestCrash)$$

# The parts of "make test", longest first. docs/dev/testing.md has what each costs.
PARTS = unit forky-podman forky-engines bookworm packages forky-faults forky-docker forky-containerd forky-rest trixie faults lint scripts

.PHONY: build install package test test-unit test-faults test-e2e test-full test-docker29 programs demo demo-shell demo-wipe bench fuzz docs lint fmt \
	tars-forky tars-trixie tars-bookworm $(PARTS:%=part-%)

build: ## bin/ocisi, static; with VERSION=v1.2.3 the same bytes wherever it is built
	CGO_ENABLED=0 go build -trimpath $(if $(VERSION),-buildvcs=false) -ldflags '-s -w$(if $(VERSION), -X main.version=$(VERSION))' -o bin/ocisi ./cmd/ocisi

install: build ## all that a package has, below DESTDIR/usr; GOARCH=arm64 for another machine
	packaging/install.sh bin/ocisi '$(DESTDIR)'

package: ## all packages, built and looked into; as root on Debian, which gets the tools
	test/package.sh

test: ## everything that must pass before a change lands, in parts of which JOBS run side by side; as root on Debian
	@test/all.sh $(JOBS) $(PARTS)

test-unit: ## with the race detector where there is a C compiler, which it needs; vet runs in lint
	GORACE=atexit_sleep_ms=0 go test -timeout 30m -vet=off -ldflags=-w $(if $(shell command -v gcc),-race) $(GOTEST) ./...

test-faults: ## faults on fake engines: a sample of all, or all with OCISI_FAULT_ALL=1
	go test -count 1 -timeout 30m ./cmd/ocisi -run '$(FAULTS)'

test-e2e: ## the tests on real engines of SUITE, as many as the gate runs; E2E has flags, such as -run or -full
	cd test/e2e && go test -tags e2e -count 1 -timeout 60m -suite $(SUITE) $(E2E)

test-full: ## all tests on all real engines and image stores
	test/full.sh

test-docker29: programs ## docker's tests on docker 29, which is built from its Go modules
	@OCISI_HOST_DOCKER=29 OCISI_HOST_NAME=$${OCISI_HOST_NAME:-oc-docker29} test/part.sh docker29 1800 test/e2e.sh -test.run '^TestStories$$/^docker$$'

programs: ## what the parts below run in test hosts
	@test/programs.sh bin/test

tars-forky tars-trixie tars-bookworm: tars-%: ## root file systems of the test hosts
	@test/host/host.sh tars $*

part-unit: programs
	@test/part.sh unit 480 $(MAKE) --no-print-directory test-unit GOTEST=-v

part-faults: programs
	@test/part.sh faults 140 bash -c 'cd cmd/ocisi && exec ../../bin/test/ocisi-fault.test -test.v -test.timeout=30m -test.run "$(FAULTS)"'

part-packages: programs
	@test/part.sh packages 400 test/package.sh --since auto --without-goreleaser

part-lint:
	@test/part.sh lint 350 test/lint.sh

part-scripts:
	@test/part.sh scripts 60 bash -c 'test/check-scripts.sh && test/pool-test.sh'

part-forky-docker: programs tars-forky
	@OCISI_HOST_NAME=oc-part-docker OCISI_HOST_MEMORY=8g test/part.sh forky-docker 420 test/e2e.sh -test.run '^TestStories$$/^docker$$'

part-forky-containerd: programs tars-forky
	@OCISI_HOST_NAME=oc-part-containerd OCISI_HOST_MEMORY=8g OCISI_HOST_STORE=containerd test/part.sh forky-containerd 480 test/e2e.sh -test.run '^TestStories$$/^docker$$'

part-forky-podman: programs tars-forky
	@OCISI_HOST_NAME=oc-part-podman OCISI_HOST_MEMORY=8g test/part.sh forky-podman 800 test/e2e.sh -test.run '^TestStories$$/^podman$$'

part-forky-rest: programs tars-forky
	@OCISI_HOST_NAME=oc-part-rest OCISI_HOST_MEMORY=16g test/part.sh forky-rest 280 test/e2e.sh -test.run '^TestStories$$/^(node|once)$$'

part-forky-engines: programs tars-forky
	@OCISI_HOST_NAME=oc-part-engines test/part.sh forky-engines 680 test/e2e.sh -test.run '^TestPackages$$'

part-forky-faults: programs tars-forky
	@OCISI_HOST_NAME=oc-part-faults OCISI_HOST_MEMORY=8g test/part.sh forky-faults 500 test/e2e.sh -test.run '^(TestFaults|TestDaemonRestart|TestFullDisk)$$'

part-bookworm: programs tars-bookworm
	@SUITE=bookworm OCISI_HOST_NAME=oc-part-bookworm test/part.sh bookworm 680 test/e2e.sh -test.run '^(TestStories|TestPackages|TestDaemonRestart)$$'

part-trixie: programs tars-trixie
	@SUITE=trixie OCISI_HOST_NAME=oc-part-trixie test/part.sh trixie 280 test/e2e.sh -test.run '^(TestStories|TestPackages)$$'

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
