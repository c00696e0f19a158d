# make test is what a change must pass; .ci/run runs everything here.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
LDFLAGS     := -s -w
LAB         := .cache/lab
GOFMT       := $(shell go env GOROOT)/bin/gofmt

# Packages whose tests use the lab: those that read WARROOM_LAB, by labtest or
# by themselves.
LAB_PACKAGES = $(shell grep -rlE --include='*_test.go' --exclude-dir=lab --exclude-dir=.cache 'WARROOM_LAB|labtest\.' . | xargs -r -n1 dirname | sort -u)

# What make bench compares with needs these.
BENCH_PEERS := postgres,moto,tls,tools,vault,toxiproxy,kubernetes

.PHONY: build test test-go test-lab lab lab-setup bench lint release-builds release-docs release-check clean FORCE

## build: the product, as it is released
build:
	go build -trimpath -ldflags '$(LDFLAGS)' -o warroom .

## test: every test, race-checked, with the real servers that need no build
test: $(LAB)
	$(LAB) setup -only quick
	$(LAB) run -only quick -- go test -race ./...
	$(LAB) run -only quick -C lab -- go test -count=1 ./...

## test-go: what needs nothing but Go; tests on real servers are not run
test-go:
	go test ./...

## test-lab: every real server, built where it has to be (half an hour, the first
## time), and beside them the packages with tests on real servers, at full speed;
## and the journal killed and damaged in full, which takes a minute or two, and a few
## kills and faults of every recovery procedure (WARROOM_CRASH=full: all of them)
test-lab: lab-setup
	@test -n '$(LAB_PACKAGES)' || { echo 'make test-lab: no test uses the lab' >&2; exit 1; }
	WARROOM_JOURNAL=full go test -count=1 -timeout 20m ./internal/journal -run 'Killed|Flipped|Truncation|Torn|Power|NeverLost'
	WARROOM_CRASH=$${WARROOM_CRASH:-some} go test -count=1 -timeout 3h ./internal/cli -run 'TestKilledAnywhereAndTakenUp|TestFailingAnywhere|TestTwoConsoles|TestRandomCommandLines'
	$(LAB) run -- go test -count=1 -timeout 20m $(LAB_PACKAGES)
	$(LAB) run -C lab -- go test -count=1 -timeout 20m ./...

## lab: every real server and an estate config for them, until Ctrl-C
lab: lab-setup
	$(LAB) up

## lab-setup: install and build what the real servers need, where we may
lab-setup: $(LAB)
	$(LAB) setup

$(LAB): FORCE
	@cd lab && go build -o ../$(LAB) ./cmd/lab

## bench: the figures of the built program, and whether they hold
bench: $(LAB)
	$(LAB) setup -only $(BENCH_PEERS)
	$(LAB) run -only $(BENCH_PEERS) -- go run ./bench

## lint: formatting, vet and staticcheck
lint:
	@unformatted=$$($(GOFMT) -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	cd lab && go vet ./...
	go run $(STATICCHECK) ./...
	cd lab && go run $(STATICCHECK) ./...

## release-builds: every released target compiles
release-builds:
	@for os in linux darwin windows; do for arch in amd64 arm64; do \
		echo "building $$os/$$arch"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -trimpath -ldflags '$(LDFLAGS)' -o .cache/release/$$os-$$arch/ . || exit 1; \
	done; done

## release-docs: what the packages hold beside the program
release-docs: DOCS := .cache/release-docs
release-docs:
	@rm -rf $(DOCS) && mkdir -p $(DOCS)/completions $(DOCS)/man
	go build -o $(DOCS)/warroom .
	$(DOCS)/warroom completion bash > $(DOCS)/completions/warroom.bash
	$(DOCS)/warroom completion zsh > $(DOCS)/completions/warroom.zsh
	$(DOCS)/warroom completion fish > $(DOCS)/completions/warroom.fish
	$(DOCS)/warroom man > $(DOCS)/man/warroom.1
	@for file in $(DOCS)/completions/* $(DOCS)/man/*; do \
		test -s $$file || { echo "$$file is empty" >&2; exit 1; }; done
	gzip -n -9 $(DOCS)/man/warroom.1
	@rm $(DOCS)/warroom

## release-check: what a release needs: the builds, the documents, the release file;
## by hand before a release, because .ci/run has no goreleaser
release-check: release-builds release-docs
	@if command -v goreleaser >/dev/null; then goreleaser check; \
	else echo "goreleaser is not installed: .goreleaser.yaml itself is not checked"; fi

clean:
	rm -rf .cache dist warroom
