#!/usr/bin/env bash
# moto, a stand-in for S3 and DynamoDB in one process: moto.sh DIRECTORY. Its bucket is `cache`, and it takes any credentials.
source "$(dirname "$0")/_lib.sh"
moto_programs

start_words "$1/one" listens "$MOTO_PYTHON" "$here/moto_server.py" %PORT% "$1/one/"
tell EVERWARM_TEST_MOTO "http://127.0.0.1:$PORT"
tell MOTO_KEY test
tell EVERWARM_TEST_S3 "s3://cache/tests?endpoint=http://127.0.0.1:$PORT&key_env=MOTO_KEY&secret_env=MOTO_KEY"
