#!/bin/sh
# What the browser tests need beside the Python packages: Debian's Chromium with a font, and the accessibility checker
# axe-core in build/axe-core. What is there already is left alone.
set -eu
cd "$(dirname "$0")/.."

axe=4.14.1
script=build/axe-core/$axe/package/axe.min.js

if ! command -v chromium >/dev/null; then
    if ! command -v apt-get >/dev/null; then
        echo "This script knows Debian and its kin only. Install a Chromium called 'chromium' by your system's means." >&2
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo "Installing Chromium needs root. Run: sudo apt-get install chromium fonts-dejavu-core" >&2
        exit 1
    fi
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium fonts-dejavu-core
fi

if [ ! -e "$script" ]; then
    if ! command -v npm >/dev/null; then
        echo "axe-core comes from npm, which is not installed." >&2
        exit 1
    fi
    mkdir -p "build/axe-core/$axe"
    (cd "build/axe-core/$axe" && npm pack --silent "axe-core@$axe" && tar xzf "axe-core-$axe.tgz" package/axe.min.js package/LICENSE)
fi

chromium --version
echo "axe-core $axe in $script"
