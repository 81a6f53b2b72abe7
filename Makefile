# A thin index: every line is a command you could type yourself.

CARGO ?= cargo
.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk 'BEGIN {FS = ":.*## "} {printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: run
run: tools ## Run the whole umbrella on the embedded store, gateway on 127.0.0.1:4000
	$(CARGO) run --package umbel -- run

.PHONY: demo
demo: ## Fill the Conduit that runs with believable data, and say what to look at; BASE=http://host:port/api for another one
	@sh demo/fill.sh $(BASE)

.PHONY: test
test: tools ## Run all tests; starts (or as root on Debian installs) a private PostgreSQL unless UMBEL_TEST_POSTGRES_URL is set
	$(CARGO) test --workspace --quiet

.PHONY: new-app
new-app: tools ## Begin a domain app of your own: NAME=shelf; DRY_RUN=1 only says what it would write
	@test -n "$(NAME)" || { echo "say what it is called: make new-app NAME=shelf"; exit 1; }
	@$(CARGO) run --quiet --package umbel -- new app $(NAME) $(if $(DRY_RUN),--dry-run)

# Not a part of check: from nothing it builds most of the workspace once more, which takes minutes.
.PHONY: test-new-app
test-new-app: tools ## Begin an app in a copy of this tree, follow README with it, and run its tests
	$(CARGO) test --quiet --package umbel-tests new_app:: -- --include-ignored

.PHONY: soak
soak: tools ## Follow the log for a minute while two processes write at full speed, and publish millions of events past a stalled subscriber
	UMBEL_TEST_LONG=1 $(CARGO) test --package umbel-tests followers:: -- --nocapture
	UMBEL_TEST_LONG=1 $(CARGO) test --package umbel-bus one_stalled_among_ten -- --nocapture

.PHONY: sim
sim: tools ## Simulate clusters under faults, RUNS seeds from SEED on; TRACE=1 tells one, STEPS cuts it, BUG plants one, RELEASE=1 is faster
	@SEED="$(SEED)" RUNS="$(RUNS)" STEPS="$(STEPS)" TRACE="$(TRACE)" BUG="$(BUG)" \
		$(CARGO) run --quiet $(if $(RELEASE),--release) --package umbel-simulator

.PHONY: check
check: tools ## What CI runs: format, lints, tests, docs, and what each took; warnings are errors
	@for step in fmt-check clippy test docs; do \
		begin=$$(date +%s); $(MAKE) --no-print-directory $$step || exit 1; \
		echo "make $$step: $$(( $$(date +%s) - begin )) s"; \
	done

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: fmt-check
fmt-check:
	$(CARGO) fmt --all --check

.PHONY: clippy
clippy: ## Lint everything, warnings denied
	$(CARGO) clippy --workspace --all-targets --quiet -- --deny warnings

.PHONY: docs
docs: ## Build the API documentation, warnings denied (target/doc)
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --workspace --no-deps --quiet

.PHONY: bench
bench: tools ## Measure every workload against its floor, some minutes; URL=postgres://... for PostgreSQL
	$(CARGO) run --release --package umbel -- bench all $(if $(URL),--url $(URL))

# What a build needs beyond this Makefile, checked before cargo fails half-way with a longer message.
.PHONY: tools
tools:
	@command -v $(CARGO) >/dev/null || { echo "install Rust first: https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { echo "install a C compiler first (Debian: apt-get install gcc libc6-dev); the embedded SQLite is built from source"; exit 1; }
