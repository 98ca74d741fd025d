#!/usr/bin/env bash
# Azurite, a stand-in for Azure Blob Storage, in memory: azurite.sh DIRECTORY. Its container is `cache`, its key the one that all have.
source "$(dirname "$0")/_lib.sh"
azurite_programs

start_words "$1/one" listens node --diagnostic-dir="$1/one/" "$AZURITE" --silent --skipApiVersionCheck --inMemoryPersistence \
  --blobHost 127.0.0.1 --blobPort %PORT%
key="Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
python3 "$here/azurite_bucket.py" "$PORT" "$key" cache
place="az://cache/tests?endpoint=http://127.0.0.1:$PORT/devstoreaccount1&account=devstoreaccount1"
tell AZURITE_KEY "$key"
tell EVERWARM_TEST_AZURE "$place&secret_env=AZURITE_KEY"
