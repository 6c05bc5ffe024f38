#!/usr/bin/env bash
# Everything that is checked before a change is taken: format, clippy, rustdoc and all tests.
set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
install_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
need_disk 4
need_rust rustfmt-web rust-web-clippy
cargo fmt --version >/dev/null 2>&1 || die "cargo fmt is missing: rustup component add rustfmt, or Debian's rustfmt-web"
cargo clippy --version >/dev/null 2>&1 || die "cargo clippy is missing: rustup component add clippy, or Debian's rust-web-clippy"
PATH="$PATH:/usr/sbin" # where Debian puts mosquitto

say "Format"
cargo fmt --check
say "Clippy"
cargo clippy --all-targets --locked -- -D warnings
say "Rustdoc"
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
say "Tests"
[ -d ../shared ] || echo "../shared is not here: tests that need it say that they are skipped"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
cargo test --locked 2>&1 | tee "$log" || status=$?
awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 }
     END { printf "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$log"
exit "$status"
