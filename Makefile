# `make help` says what there is. CARGO_TARGET_DIR is respected; ARGS and TEST_FLAGS are handed on where it says so.

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
BIN := $(TARGET)/release
# Apache Dubbo in three versions, and dubbo-go.
DUBBO := tests/interop/dubbo
DUBBO_JARS := $(patsubst %,$(DUBBO)-java/target/%/dubbo-interop.jar,dubbo3 dubbo27 dubbo26)
DUBBO_GO := $(DUBBO)-go/target/dubbo-interop
# Apache Thrift's libraries: Python, Node, Go, Java.
THRIFT := tests/interop/thrift
PYTHON := $(THRIFT)-python/target/venv/bin/thrift-installed
NODE := $(THRIFT)-node/node_modules/.package-lock.json
GO := $(THRIFT)-go/target/thrift-interop
THRIFT_JAR := $(THRIFT)-java/target/thrift-interop.jar
# Redis clients: redis-py, ioredis and node-redis, go-redis, Jedis and Lettuce.
REDIS := tests/interop/redis
REDIS_PYTHON := $(REDIS)-python/target/venv/bin/redis-installed
REDIS_NODE := $(REDIS)-node/node_modules/.package-lock.json
REDIS_GO := $(REDIS)-go/target/redis-interop
REDIS_JAR := $(REDIS)-java/target/redis-interop.jar
REDIS_CLIENTS := $(REDIS_PYTHON) $(REDIS_NODE) $(REDIS_GO) $(REDIS_JAR)
# The third parties' programs of the examples.
EXAMPLE_JARS := examples/brpc/interop/target/brpc-interop.jar examples/trpc/interop/target/trpc-interop.jar
DENY_VERSION := 0.20.2

# One set of packages for all who run a release build, so that nobody's build replaces another's.
RELEASE := -p metactl -p controller -p meta-proxy -p dubbo-isolation -p bench

# Crates with a fuzz target.
FUZZ := $(wildcard codecs/*/examples/fuzz.rs examples/*/examples/fuzz.rs)

.DEFAULT_GOAL := help
.PHONY: help demo test rules bench fuzz lint fmt doc check release interop apiserver generate tools clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1 /p' $(MAKEFILE_LIST) | while read -r name text; do printf '  %-10s %s\n' "$$name" "$$text"; done

demo: release ## Show how a MetaRouter keeps batch jobs from hurting user traffic (needs Rust only)
	$(BIN)/dubbo-isolation --metactl $(BIN)/metactl $(ARGS)

test: tools release interop apiserver ## Run all tests, against real Dubbo, Thrift, Redis and Kubernetes too (TEST_FLAGS for cargo test)
	METACTL_BIN=$(BIN)/metactl cargo test --workspace $(TEST_FLAGS)

rules: ## Check the house rules: crate edges, order of modules, files, documents
	cargo test -q -p e2e --test house_rules

bench: release ## Compare with Envoy and write docs/benchmarks.md (QUICK=1: three rows, printed; ARGS for bench full)
	$(BIN)/bench full $(if $(QUICK),--quick,--docs docs) $(ARGS)

fuzz: ## Try mutated messages on each codec for SECONDS (60) each; keeps what breaks a law in target/fuzz-failures
	@for target in $(FUZZ); do \
		package=$$(sed -n 's/^name = "\(.*\)"/\1/p' $$(dirname $$target)/../Cargo.toml | head -1); \
		cargo run -q --release -p $$package --example fuzz-$${package#codec-} -- \
			--seconds $(or $(SECONDS),60) --save $(TARGET)/fuzz-failures $(ARGS) || exit 1; \
	done

lint: ## Check format, clippy, rustdoc, and dependencies (bans, licences, sources)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	@command -v cargo-deny >/dev/null || { echo "installing cargo-deny $(DENY_VERSION) by cargo"; \
		cargo install cargo-deny --locked --version $(DENY_VERSION); }
	cargo deny --locked check bans licenses sources

fmt: ## Format all Rust code
	cargo fmt --all

doc: ## Build the documentation of all crates
	cargo doc --workspace --no-deps

check: ## Type-check everything, tests included
	cargo check --workspace --all-targets

release: ## Build the release binaries: metactl, controller, meta-proxy, dubbo-isolation, bench
	cargo build --release $(RELEASE)

interop: $(DUBBO_JARS) $(DUBBO_GO) $(PYTHON) $(NODE) $(GO) $(THRIFT_JAR) $(REDIS_CLIENTS) $(EXAMPLE_JARS) ## Build the peers on other people's own libraries: Dubbo, Thrift, Redis, bRPC, tRPC
$(DUBBO_JARS): $(DUBBO)-java/pom.xml $(shell find $(DUBBO)-java/src -type f) | tools
	cd $(DUBBO)-java && mvn -q -B -P$(notdir $(patsubst %/,%,$(dir $@))) package
	touch $@
$(DUBBO_GO): $(shell find $(DUBBO)-go -name '*.go' -o -name 'go.*') | tools
	cd $(DUBBO)-go && go build -o target/dubbo-interop .
	touch $@
$(PYTHON): $(THRIFT)-python/requirements.txt | tools
	python3 -m venv $(THRIFT)-python/target/venv
	$(THRIFT)-python/target/venv/bin/pip install -q --disable-pip-version-check -r $<
	touch $@
$(NODE): $(THRIFT)-node/package-lock.json | tools
	cd $(THRIFT)-node && npm ci --no-audit --no-fund --loglevel=error
	touch $@
$(GO): $(shell find $(THRIFT)-go -name '*.go' -o -name 'go.*') | tools
	cd $(THRIFT)-go && go build -o target/thrift-interop .
	touch $@
$(THRIFT_JAR): $(THRIFT)-java/pom.xml $(shell find $(THRIFT)-java/src -type f) | tools
	cd $(THRIFT)-java && mvn -q -B package
	touch $@
$(REDIS_PYTHON): $(REDIS)-python/requirements.txt | tools
	python3 -m venv $(REDIS)-python/target/venv
	$(REDIS)-python/target/venv/bin/pip install -q --disable-pip-version-check -r $<
	touch $@
$(REDIS_NODE): $(REDIS)-node/package-lock.json | tools
	cd $(REDIS)-node && npm ci --no-audit --no-fund --loglevel=error
	touch $@
$(REDIS_GO): $(shell find $(REDIS)-go -name '*.go' -o -name 'go.*') | tools
	cd $(REDIS)-go && go build -o target/redis-interop .
	touch $@
$(REDIS_JAR): $(REDIS)-java/pom.xml $(shell find $(REDIS)-java/src -type f) | tools
	cd $(REDIS)-java && mvn -q -B package
	touch $@

$(EXAMPLE_JARS): $(wildcard examples/*/interop/pom.xml) $(shell find examples/*/interop/src -type f) | tools
	cd $(dir $@).. && mvn -q -B package
	touch $@

# kube-apiserver, etcd and Helm, built once into the user's cache; says so. KUBEBUILDER_ASSETS and HELM_BIN name others.
apiserver: | tools
	tests/tools/kubernetes
	tests/tools/helm/build

generate: ## Rewrite generated files: custom resource definitions (the chart's too), protocol buffers
	UPDATE=1 cargo test -q -p crds -p xds --test generated

tools: ## Install what tests need and this machine lacks: Java, Maven, Python, Node, Go, Redis, valgrind (by apt-get)
	@.ci/run tools

clean: ## Remove what was built
	cargo clean
	rm -rf $(DUBBO)-java/target $(DUBBO)-go/target $(THRIFT)-python/target $(THRIFT)-node/node_modules $(THRIFT)-go/target $(THRIFT)-java/target $(dir $(EXAMPLE_JARS))
	rm -rf $(REDIS)-python/target $(REDIS)-node/node_modules $(REDIS)-go/target $(REDIS)-java/target
