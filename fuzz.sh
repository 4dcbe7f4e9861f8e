#!/bin/bash
# fuzz.sh : runs every fuzz target of the module for FUZZTIME, one after the other. Better a count (30000x) than a duration:
# at a duration's end Go before 1.27 may fail a target for nothing (golang/go#75804).
set -euo pipefail
go=${GO:-go}
while read -r package target; do
  echo "== $package $target"
  $go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30000x}" -fuzzminimizetime 10x "$package"
done < <($go test -list '^Fuzz' ./... | awk '
  /^Fuzz/ { targets[n++] = $1 }
  /^ok/ { for (i = 0; i < n; i++) print $2, targets[i]; n = 0 }')
