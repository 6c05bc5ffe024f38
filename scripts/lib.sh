# What the scripts share: installing what is missing, on Debian 12 and its kin. Sourced, not run.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

BUILD_PACKAGES=(build-essential pkg-config ca-certificates
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
  gstreamer1.0-libav mosquitto)
TEST_PACKAGES=(libgstrtspserver-1.0-dev systemd)

say() { printf '\n== %s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "Installing needs root or sudo; run as root: $*"; fi
}

installed() { [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null)" = 'ii ' ]; }

# Installs those of the named Debian packages that are missing; touches nothing when none is.
install_packages() {
  local missing=() package
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

# Installs the named Debian packages, or updates those that are there.
apt_install() {
  command -v apt-get >/dev/null || die "These Debian packages are needed: $*"
  say "Installing: $*"
  as_root apt-get update -qq
  # Debian starts a newly installed mosquitto on port 1883. The scripts start their own, so that one is not wanted.
  local guard=/usr/sbin/policy-rc.d ours=no
  if [ ! -e $guard ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee $guard >/dev/null
    as_root chmod +x $guard
  fi
  local status=0
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || status=$?
  [ $ours = no ] || as_root rm -f $guard
  [ $status = 0 ] || die "apt-get could not install: $*"
}

# Says so if less than $1 GB are free for the build: a full disk fails in the linker, with a message that names no disk.
need_disk() {
  local free
  free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
  [ "$free" -ge "$1" ] || say "Only $free GB are free here; building from nothing takes about $1"
}

# Whether version $1 is at least $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

rust_version() { { rustc --version 2>/dev/null || true; } | awk '{ print $2 }'; }

# Puts a Rust toolchain on the PATH that can build the project: the user's, or Debian's newest.
need_rust() {
  local wanted found
  wanted=$(sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' Cargo.toml)
  [ ! -d "$HOME/.cargo/bin" ] || PATH="$HOME/.cargo/bin:$PATH"
  found=$(rust_version)
  if [ -z "$found" ] || ! at_least "$found" "$wanted" || ! command -v cargo >/dev/null; then
    [ -z "$found" ] || say "Rust $found is too old (at least $wanted is needed); taking Debian's newest beside it"
    PATH="/usr/bin:$PATH"
    hash -r
    if at_least "$(rust_version)" "$wanted"; then install_packages rustc-web cargo-web "$@"
    else apt_install rustc-web cargo-web "$@"; fi
    hash -r
    found=$(rust_version)
    at_least "${found:-0}" "$wanted" || die "Rust $wanted or newer is needed, apt's sources give ${found:-none}: Debian 12's security suite has it, or rustup"
  elif [ "$(command -v rustc)" = /usr/bin/rustc ] && installed rustc-web; then
    # It came with an earlier call, which may have needed less.
    install_packages "$@"
  fi
  export PATH
  say "Rust $found"
}
