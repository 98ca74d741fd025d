#!/usr/bin/env bash
# A cluster of three masters with a replica each: cluster.sh DIRECTORY.
source "$(dirname "$0")/_lib.sh"
redis_programs

servers=() addresses=()
for name in a b c d e f; do
  server=$1/$name
  start "$server" "${FORGETFUL[@]}" "cluster-enabled yes" "cluster-config-file nodes.conf" "cluster-node-timeout 2000" \
    "repl-diskless-sync-delay 0"
  servers+=("$server")
  addresses+=("127.0.0.1:$PORT")
done

"$REDIS_CLI" --cluster create "${addresses[@]}" --cluster-replicas 1 --cluster-yes >"$1/create.log" 2>&1 || {
  tail -n 20 "$1/create.log" >&2
  fail "the cluster could not be made"
}

# Whether all servers see all slots and three replicas, and each replica has a link to its master.
whole() {
  local server linked=0
  for server in "${servers[@]}"; do
    [[ $(cli "$server" cluster info) == *cluster_state:ok* ]] || return 1
    (($(cli "$server" cluster nodes | grep -c slave) == 3)) || return 1
    [[ $(cli "$server" info replication) != *master_link_status:up* ]] || linked=$((linked + 1))
  done
  ((linked == 3))
}
until_true whole || fail "the cluster is not whole after $PATIENCE s"
tell EVERWARM_TEST_REDIS_CLUSTER "redis+cluster://$(IFS=,; echo "${addresses[*]}")"
