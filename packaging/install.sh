#!/bin/sh
# Installs a release of rolecall for this machine, after it checks the checksum; with `gh` also the attestation.
#
#   curl --proto =https -fsSL https://github.com/rolecall-dev/rolecall/releases/download/v0.1.0/install.sh | sh
#
# ROLECALL_VERSION chooses another release, and ROLECALL_INSTALL_DIR another folder than ~/.local/bin.
set -eu

fail() { # MESSAGE
  echo "rolecall: $1" >&2
  exit 1
}

# Read as a whole before anything runs, so that a download that breaks off does nothing.
main() {
  version=${ROLECALL_VERSION:-0.1.0}
  folder=${ROLECALL_INSTALL_DIR:-$HOME/.local/bin}
  repository=rolecall-dev/rolecall
  case $version in *[!0-9A-Za-z.-]* | '') fail "ROLECALL_VERSION isn't a version such as 0.1.0" ;; esac
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) target=x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-musl ;;
    Darwin-x86_64) target=x86_64-apple-darwin ;;
    Darwin-arm64) target=aarch64-apple-darwin ;;
    *) fail "there is no archive for $(uname -s) on $(uname -m)" ;;
  esac
  name=rolecall-$version-$target
  temporary=$(mktemp -d)
  trap 'rm -rf "$temporary"' EXIT
  for file in "$name.tar.gz" SHA256SUMS; do
    curl --proto =https --fail --silent --show-error --location --retry 3 --output "$temporary/$file" \
      "https://github.com/$repository/releases/download/v$version/$file" || fail "$file of $version can't be downloaded"
  done
  (
    cd "$temporary"
    # Two spaces, or one and the star of a binary file.
    grep -E "^[0-9a-f]{64} [ *]$name\.tar\.gz\$" SHA256SUMS >sum || fail "SHA256SUMS doesn't name $name.tar.gz"
    if command -v sha256sum >/dev/null; then
      sha256sum -c sum >/dev/null
    else
      shasum -a 256 -c sum >/dev/null
    fi
  ) || fail "$name.tar.gz isn't what SHA256SUMS says. Nothing was installed"
  if command -v gh >/dev/null && gh auth status >/dev/null 2>&1; then
    gh attestation verify "$temporary/$name.tar.gz" --repo "$repository" >/dev/null ||
      fail "the attestation of $name.tar.gz doesn't hold. Nothing was installed"
  else
    echo "rolecall: the checksum holds. Without \`gh\`, the attestation wasn't checked" >&2
  fi
  tar -xzf "$temporary/$name.tar.gz" -C "$temporary"
  mkdir -p "$folder"
  # Under another name first, so that a program that runs isn't overwritten.
  cp "$temporary/$name/rolecall" "$folder/.rolecall-new"
  chmod 755 "$folder/.rolecall-new"
  mv "$folder/.rolecall-new" "$folder/rolecall"
  echo "installed $folder/rolecall: $("$folder/rolecall" --version)"
  case :$PATH: in
    *":$folder:"*) ;;
    *) echo "Add $folder to PATH." ;;
  esac
}

main
