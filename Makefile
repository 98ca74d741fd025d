# The two commands of the project; PYTHON=/path/to/python chooses the interpreter.

.DEFAULT_GOAL := help
.PHONY: help demo test stores fuzz clean

# How long each fuzz target runs.
SECONDS ?= 30

help:
	@echo "make demo   set up a private environment, build, run quickstart.py, survives.py and together.py of examples/"
	@echo "make test   set up and run every test, Rust and Python"
	@echo "make stores start every server that can be had and hold all stores to the contract: the table is printed"
	@echo "make fuzz   mutate envelopes, values, keys, names, files, URLs and programs, SECONDS=30 for each target"
	@echo "make clean  delete what the two commands have set up"
	@echo "PYTHON=...  the interpreter to use (CPython 3.10 or later)"

demo:
	@scripts/demo.sh

test:
	@scripts/test.sh

stores:
	@scripts/stores.sh

fuzz:
	EVERWARM_FUZZ_SECONDS=$(SECONDS) cargo test --profile ci -p everwarm-core -p everwarm-codec -p everwarm-store-disk \
		-p everwarm-tiers -p everwarm --test 'fuzz*' \
		--features everwarm/disk,everwarm/dynamodb,everwarm/file,everwarm/memcached,everwarm/mongodb \
		--features everwarm/mysql,everwarm/object,everwarm/postgres,everwarm/redis,everwarm/sqlite \
		-- --test-threads 1 --nocapture

clean:
	rm -rf .venv .venv-test .venv-test-3.* .cache/test
