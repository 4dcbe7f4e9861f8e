#!/bin/bash
# peer.sh: the real systems that Signpost is compared with, from Maven Central by their ordinary names.
#
#   peer.sh fetch      VERSION                       download one set of jars, print its folder
#   peer.sh nameserver VERSION PORT [key=value ...]  the Java NameServer
#   peer.sh broker     VERSION NAME PORT NAMESRV[;NAMESRV] [key=value ...]
#                                                    a broker; it uses PORT, PORT+1 and PORT-2. It is a master of
#                                                    DefaultCluster unless the properties say otherwise
#                                                    (brokerRole=SLAVE brokerId=1). An empty NAMESRV is none
#   peer.sh mqadmin    VERSION SUBCOMMAND ...        the admin tool; its sendMessage and consumeMessage are real clients
#   peer.sh dynamodb   PORT                          DynamoDB Local, in memory; any credentials do
#
# VERSION is a RocketMQ release (4.8.0, 4.9.7, 5.3.3) or `dynamodb`. Jars stay in
# ${XDG_CACHE_HOME:-$HOME/.cache}/signpost-peers. Everything runs in the foreground, in place of this shell, so the
# process id of the script is the one to stop. Each run has a folder of its own: $PEER_RUN, or a new temporary one.
# With PEER_GUARD=1 the peer dies when standard input ends, that is, when whoever started it is gone.
# PEER_HEAP sets the Java heap (for example 512m). Needs a JDK 17 and, to download, Maven 3.
set -euo pipefail

root=${XDG_CACHE_HOME:-$HOME/.cache}/signpost-peers
die() { echo "peer.sh: $*" >&2; exit 70; }
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]:-/dev/null}" >&2; exit 64; }

# find_java sets $java, from JAVA_HOME or the PATH.
find_java() {
  if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then java=$JAVA_HOME/bin/java; return; fi
  java=$(command -v java) || die "java is needed to run RocketMQ and DynamoDB Local: install a JDK 17 or set JAVA_HOME"
}

# fetch VERSION sets $jars to the folder of that version, downloaded when it is not there. Whoever comes second waits
# for the lock; the folder gets its name only when it is complete, so a broken download is simply done again.
fetch() {
  local v=$1; jars=$root/$v
  [ ! -d "$jars" ] || return 0
  command -v mvn >/dev/null || die "mvn (Maven 3) is needed to download $v: install it, or fill $jars elsewhere"
  command -v flock >/dev/null || die "flock (util-linux) is needed to download $v"
  mkdir -p "$root"
  (
    flock -w 540 9 || die "gave up waiting for another download of $v ($root/$v.lock)"
    [ ! -d "$jars" ] || exit 0
    t=$(mktemp -d "$root/.$v.XXXXXX"); trap 'rm -rf "$t"' EXIT
    pom "$v" > "$t/pom.xml"
    mvn -q -B -f "$t/pom.xml" dependency:copy-dependencies -DoutputDirectory="$t/lib" >&2 </dev/null ||
      die "Maven could not download $v"
    mkdir -p "$t/home/conf"
    for f in namesrv broker tools; do
      echo '<configuration><root level="OFF"/></configuration>' > "$t/home/conf/logback_$f.xml"
    done
    chmod 755 "$t"; mv "$t" "$jars"
  ) 9> "$root/$v.lock"
}

# pom VERSION writes a Maven project that depends on what VERSION needs.
pom() {
  dep() { echo "<dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$3</version></dependency>"; }
  echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
  echo '<groupId>signpost</groupId><artifactId>peers</artifactId><version>1</version><dependencies>'
  case $1 in
    dynamodb) dep software.amazon.dynamodb DynamoDBLocal 3.1.0 ;;
    *) for a in namesrv broker tools; do dep org.apache.rocketmq "rocketmq-$a" "$1"; done
       # The netty that 4.8.0 brings does not start on JDK 17; this one does and behaves alike.
       [ "$1" != 4.8.0 ] || dep io.netty netty-all 4.0.56.Final ;;
  esac
  echo '</dependencies></project>'
}

# run_folder sets $run and goes there.
run_folder() {
  run=${PEER_RUN:-$(mktemp -d)}; mkdir -p "$run"; cd "$run"
  [ "${PEER_GUARD:-}" != 1 ] || guard
}

# guard ends this process, by then the peer, when standard input ends. The guard is in the peer's process group, or
# its child, so the id it kills cannot have become somebody else's while a starter waits for the peer.
guard() {
  exec 3<&0
  ( read -r _ <&3 || true; kill -9 $$ ) >/dev/null 2>&1 &
  exec 3<&- </dev/null
}

# rocketmq MAIN ARGS... becomes that program. Paths are relative, so that what a server tells of its configuration is
# the same on every machine; exceptions are told without the JDK's helpful details, as on JDK 8, for the same reason.
rocketmq() {
  ln -sfn "$jars/home" home
  export ROCKETMQ_HOME=home HOME=$run
  exec "$java" "${heap[@]}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+IgnoreUnrecognizedVMOptions \
    -XX:-ShowCodeDetailsInExceptionMessages \
    --add-exports=java.base/sun.nio.ch=ALL-UNNAMED --add-opens=java.base/sun.nio.ch=ALL-UNNAMED \
    --add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/jdk.internal.ref=ALL-UNNAMED \
    -Dfile.encoding=UTF-8 -Drocketmq.home.dir=home "-Duser.home=$run" \
    -Drmq.logback.configurationFile=home/conf/logback_tools.xml -cp "$jars/lib/*:$jars/home/conf" "$@"
}

# heap DEFAULT sets the heap options.
heap() { heap=(-Xms32m "-Xmx${PEER_HEAP:-$1}"); }

case ${1:-} in
  fetch)
    [ $# = 2 ] || usage
    fetch "$2"; echo "$jars" ;;
  nameserver)
    [ $# -ge 3 ] || usage
    find_java; fetch "$2"; port=$3; shift 3; run_folder
    { echo "listenPort=$port"; echo kvConfigPath=kvConfig.json; printf '%s\n' "$@"; } > namesrv.conf
    heap 192m
    rocketmq org.apache.rocketmq.namesrv.NamesrvStartup -c namesrv.conf ;;
  broker)
    [ $# -ge 5 ] || usage
    find_java; v=$2; fetch "$v"; name=$3; port=$4; ns=$5; shift 5; run_folder
    # Small files: a broker maps them whole, and several brokers run at once.
    { printf '%s\n' brokerClusterName=DefaultCluster "brokerName=$name" brokerId=0 brokerRole=ASYNC_MASTER \
        brokerIP1=127.0.0.1 brokerIP2=127.0.0.1 "listenPort=$port" "haListenPort=$((port + 1))" ${ns:+"namesrvAddr=$ns"} \
        "storePathRootDir=$run/store" "storePathCommitLog=$run/store/commitlog" \
        mappedFileSizeCommitLog=4194304 mappedFileSizeConsumeQueue=200000 maxHashSlotNum=10000 maxIndexNum=40000 \
        flushDiskType=ASYNC_FLUSH diskMaxUsedSpaceRatio=95
      case $v in 5.*) echo timerWheelEnable=false ;; esac
      printf '%s\n' "$@"; } > broker.conf
    heap 256m; heap+=(-XX:MaxDirectMemorySize=256m)
    rocketmq org.apache.rocketmq.broker.BrokerStartup -c broker.conf ;;
  mqadmin)
    [ $# -ge 3 ] || usage
    find_java; fetch "$2"; shift 2
    if [ -z "${PEER_RUN:-}" ]; then # by hand: leave nothing behind
      PEER_RUN=$(mktemp -d); trap 'rm -rf "$PEER_RUN"' EXIT
      run_folder; heap 128m
      ( rocketmq org.apache.rocketmq.tools.command.MQAdminStartup "$@" )
    else
      run_folder; heap 128m
      rocketmq org.apache.rocketmq.tools.command.MQAdminStartup "$@"
    fi ;;
  dynamodb)
    [ $# = 2 ] || usage
    find_java; fetch dynamodb; run_folder; heap 512m
    exec "$java" "${heap[@]}" -Djava.library.path="$jars/lib" -cp "$jars/lib/*" \
      software.amazon.dynamodb.services.local.main.ServerRunner -inMemory -sharedDb -port "$2" ;;
  *) usage ;;
esac
