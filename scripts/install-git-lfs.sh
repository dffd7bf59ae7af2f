#!/bin/sh
# What the git-lfs test needs: Debian's git-lfs. What is there already is left alone.
set -eu

if ! command -v git-lfs >/dev/null; then
    if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
        echo "Install git-lfs by your system's means; on Debian: sudo apt-get install git-lfs" >&2
        exit 1
    fi
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends git-lfs
fi
git-lfs version
