#!/usr/bin/env bash
# dynalite, a stand-in for DynamoDB that is stricter than moto and lacks transactions and deletion by time: dynalite.sh DIRECTORY. It
# takes any credentials.
source "$(dirname "$0")/_lib.sh"
dynalite_programs

start_words "$1/one" listens node "$DYNALITE" --host 127.0.0.1 --port %PORT% --createTableMs 0 --deleteTableMs 0 "$1/one/"
tell EVERWARM_TEST_DYNALITE "http://127.0.0.1:$PORT"
tell EVERWARM_TEST_DYNAMODB "dynamodb://everwarm:everwarm@everwarm?endpoint=http://127.0.0.1:$PORT&make_table=true"
