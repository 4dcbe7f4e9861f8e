#!/bin/bash
# lambda-image.sh ARCHITECTURE: sees to it that Docker has the image in which `sam local` runs functions of
# provided.al2023 (arm64 or x86_64). It is pulled from AWS's public registry; where that cannot be reached, a stand-in
# is built from Debian's busybox-static: the functions are static and need nothing of it, SAM needs a shell, mv and
# chmod to add its runtime emulator.
set -euo pipefail

die() { echo "lambda-image.sh: $*" >&2; exit 70; }

architecture=${1:?arm64 or x86_64}
image=public.ecr.aws/lambda/provided:al2023-$architecture
! docker image inspect "$image" >/dev/null 2>&1 || exit 0
! timeout 300 docker pull -q "$image" >&2 || exit 0

echo "lambda-image.sh: $image cannot be pulled, building a stand-in" >&2
busybox() { dpkg -L busybox-static 2>/dev/null | grep -m1 'bin/busybox$'; }
if ! busybox >/dev/null; then
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die "the stand-in is made of Debian's busybox-static: install it"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends busybox-static; } >&2 ||
    die "busybox-static could not be installed"
fi
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cp "$(busybox)" "$folder/busybox"
cat > "$folder/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /etc /opt /tmp /var/rapid /var/runtime /var/task && echo 'root:x:0:0::/:/bin/sh' > /etc/passwd
WORKDIR /var/task
DOCKERFILE
# Of Docker itself, not buildx: that is a plug-in which may be missing.
DOCKER_BUILDKIT=0 docker build -q -t "$image" "$folder" >&2 || die "docker build failed"
