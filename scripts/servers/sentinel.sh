#!/usr/bin/env bash
# A master with two replicas, and three sentinels that watch them: sentinel.sh DIRECTORY.
source "$(dirname "$0")/_lib.sh"
redis_programs

start "$1/master" "${FORGETFUL[@]}" "repl-diskless-sync-delay 0"
master=$PORT
for name in replica-a replica-b; do
  start "$1/$name" "${FORGETFUL[@]}" "replicaof 127.0.0.1 $master" "repl-diskless-sync-delay 0"
done

# Whether both replicas are linked: sentinels that begin now learn of them at once.
linked() {
  [[ $(cli "$1/master" info replication) == *connected_slaves:2* ]]
}
until_true linked "$1" || fail "the replicas have no link to their master after $PATIENCE s"

sentinels=() addresses=()
for name in sentinel-a sentinel-b sentinel-c; do
  sentinel=$1/$name
  start "$sentinel" "sentinel monitor everwarm 127.0.0.1 $master 2" "sentinel down-after-milliseconds everwarm 1000" \
    "sentinel failover-timeout everwarm 5000" "sentinel parallel-syncs everwarm 1" -- --sentinel
  sentinels+=("$sentinel")
  addresses+=("127.0.0.1:$PORT")
done

# Whether each sentinel knows both replicas and both others, and takes the master for up.
watched() {
  local sentinel seen
  for sentinel in "${sentinels[@]}"; do
    seen=$(cli "$sentinel" sentinel master everwarm | paste -s -d ' ' -)
    [[ $seen == *"num-slaves 2 "* && $seen == *"num-other-sentinels 2 "* && $seen != *s_down* ]] || return 1
  done
}
until_true watched || fail "the sentinels do not see all others after $PATIENCE s"
tell EVERWARM_TEST_REDIS_SENTINEL "redis+sentinel://$(IFS=,; echo "${addresses[*]}")/everwarm/0"
