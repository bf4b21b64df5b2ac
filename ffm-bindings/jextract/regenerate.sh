#!/bin/sh
# Makes the generated bindings again, from the headers in the native jars that the pom names.
# Needs jextract for JDK 25 or later on the PATH (openjdk/jextract; these came from f9866df), mvn
# and unzip. Run it on Linux, whose constants the posix bindings hold.
set -eu
command -v jextract >/dev/null || { echo "regenerate.sh: no jextract on the PATH" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$root/ffm-bindings/src/main/java
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# Prints the value of a property of the root pom.
version() {
  sed -n "s|.*<$1>\(.*\)</$1>.*|\1|p" "$root/pom.xml" | head -n 1
}

# headers ARTIFACT: unpacks the headers of org.bytedeco:ARTIFACT, and prints their folder.
headers() {
  mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy \
    -Dartifact="org.bytedeco:$1:$(version "$1.version"):jar:linux-x86_64" \
    -DoutputDirectory="$temp" >&2
  unzip -qo "$temp/$1-"*.jar 'org/bytedeco/*/include/*' -d "$temp"
  echo "$temp/org/bytedeco/$1/linux-x86_64/include"
}

openblas=$(headers openblas)
dnnl=$(headers dnnl)
for package in openblas onednn omp posix; do
  rm -rf "$out/io/gatun/ffm/$package"
done

cd "$here"
jextract --output "$out" -t io.gatun.ffm.openblas --header-class-name Cblas \
  -I "$openblas" @openblas.includes "$openblas/cblas.h"
jextract --output "$out" -t io.gatun.ffm.onednn --header-class-name Dnnl \
  -I "$dnnl" @onednn.includes "$dnnl/dnnl.h"
jextract --output "$out" -t io.gatun.ffm.omp --header-class-name Omp omp_min.h
jextract --output "$out" -t io.gatun.ffm.posix --header-class-name Posix @posix.includes posix_min.h
