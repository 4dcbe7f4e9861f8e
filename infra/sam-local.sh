#!/bin/bash
# sam-local.sh: the API on http://127.0.0.1:$PORT as `sam local start-api` runs it, over DynamoDB Local in memory, until
# it is interrupted. Events are printed. PORT is 3000, DYNAMODB_PORT 8000 and BUS_PORT 8001 unless set. Needs Docker, a
# JDK 17 and Maven.
#
# There is no authorization here, no throttling and no schedule, so no sweeper; answers do not need it. SAM hands
# compressed bodies over damaged: use plain JSON, and shims with --compress false.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "sam-local.sh: $*" >&2; exit 70; }

port=${PORT:-3000} dynamodb_port=${DYNAMODB_PORT:-8000} bus_port=${BUS_PORT:-8001} table=signpost-local
case $(uname -m) in
  x86_64) architecture=x86_64 ;;
  aarch64 | arm64) architecture=arm64 ;;
  *) die "Lambda has no $(uname -m)" ;;
esac
docker version >/dev/null || die "a Docker engine is needed: start one, or set DOCKER_HOST"

# Any credentials do, and real ones are better not handed on.
export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export SAM_CLI_TELEMETRY=0
unset AWS_SESSION_TOKEN AWS_PROFILE
tools=$(infra/tools.sh)
export PATH=$tools:$PATH

infra/lambda-image.sh "$architecture"
make sam-build ARCHITECTURE="$architecture"

folder=$(mktemp -d)
go build -o "$folder/bus" ./infra/bus
bash e2e/peers/peer.sh fetch dynamodb >/dev/null
PEER_RUN=$folder bash e2e/peers/peer.sh dynamodb "$dynamodb_port" > "$folder/dynamodb.log" 2>&1 &
dynamodb=$!
"$folder/bus" "0.0.0.0:$bus_port" & # containers come by another address than this machine's own
bus=$! sam=
# SAM stops the containers when it is told to end, and does not hear it while it begins to work on a request.
end() {
  for _ in 1 2 3; do
    kill $sam $dynamodb $bus 2>/dev/null || true
    for _ in $(seq 20); do
      [ -n "$sam" ] && kill -0 $sam 2>/dev/null || break 2
      sleep 0.5
    done
  done
  [ -z "$sam" ] || kill -9 $sam 2>/dev/null || true
  [ -z "$sam" ] || wait $sam || true
  rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT TERM
for _ in $(seq 120); do # a minute
  kill -0 $dynamodb 2>/dev/null || { cat "$folder/dynamodb.log" >&2; die "DynamoDB Local did not start"; }
  ! curl -s -m 5 -o "$folder/answer" "http://127.0.0.1:$dynamodb_port" || break
  sleep 0.5
done
TABLE_NAME=$table AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:$dynamodb_port make table

# Containers reach this machine by a name of Docker's. Only variables that the template declares can be set.
cat > "$folder/env.json" <<JSON
{"Parameters": {"TABLE_NAME": "$table", "EVENT_BUS_NAME": "local",
  "AWS_ENDPOINT_URL_DYNAMODB": "http://host.docker.internal:$dynamodb_port",
  "AWS_ENDPOINT_URL_EVENTBRIDGE": "http://host.docker.internal:$bus_port"}}
JSON
# The choice of authorizers is beyond SAM, which has neither of them here. It runs in the background, for a shell runs
# its traps only when it is not waiting for a program in the foreground.
sam local start-api --host 127.0.0.1 --port "$port" --env-vars "$folder/env.json" --warm-containers LAZY \
  --parameter-overrides "Architecture=$architecture" --add-host host.docker.internal:host-gateway \
  --skip-pull-image --disable-authorizer &
sam=$!
wait $sam
