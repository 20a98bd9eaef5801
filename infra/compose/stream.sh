#!/bin/sh
# The program of a stream's container: starts the stream the first time, has it watched again when the container was
# started again, and lives as long as it is watched. Arguments: those of `rollout stream start`.
set -eu

folder="$ROLLOUT_HOME/stream"

run() {
    cat "$folder/current" 2>/dev/null || true
}

# The note of the supervisor's process. `rollout stream stop` takes it away; a container that ends leaves it.
note() {
    printf '%s/%s/supervisor.pid' "$folder" "$(run)"
}

never_ran() {
    [ -z "$(run)" ] || grep -q '"jobs": \[\]' "$folder/$(run)/stream.json"
}

trap 'exit 0' TERM INT
if never_ran; then
    rollout stream start "$@"
elif [ -e "$(note)" ]; then
    rollout stream watch
else
    echo "The stream of run $(run) was stopped; \`rollout stream start\` in this container starts another."
fi

# A stream that was stopped on purpose stays stopped, and the container stays for whoever starts the next.
while sleep "${ROLLOUT_STREAM_LOOK_SECONDS:-5}" & wait $!; do
    if [ -e "$(note)" ] && ! kill -0 "$(cut -d ' ' -f 1 "$(note)")" 2>/dev/null; then
        echo "The supervisor of run $(run) has ended."
        exit 1
    fi
done
