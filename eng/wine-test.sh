#!/bin/sh
# Publishes and runs the tests for Windows under Wine.
#
#     eng/wine-test.sh [ARGUMENT OF THE TEST PROGRAM...]
set -eu
cd "$(dirname "$0")/.."
eng/wine-publish.sh NativeIpc.Windows
exec eng/wine-run.sh artifacts/win-x64/NativeIpc.Windows.exe "$@"
