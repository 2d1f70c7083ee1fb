#!/bin/sh
# install.sh TARGET..., in the repository's root, installs the tools of targets of tools.mk,
# side by side: `tools`, `gate-tools`, `web-tools`, `lighthouse-tools` and
# `clients-tools`. If something has to be installed, it
# first finds the programs that the installation needs, and names all that are missing. A
# name on the PATH is not enough: pyenv puts names there for versions that are not installed.
set -eu
missing=

tell() {
  missing=1
  echo "$*" >&2
}

# find_python finds a Python that can make virtual environments: Debian packages that
# part separately. LocalStack 4.14 says that 3.10 is enough, but imports a part of 3.13.
find_python() {
  check='import sys, venv, ensurepip; print("%d.%d.%d" % sys.version_info[:3])'
  if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON" # a person's choice is taken without an alternative
  else
    set -- python3.13 python3 "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.13*/bin/python
  fi
  tried=
  for found_python; do
    version=$("$found_python" -c "$check" 2>/dev/null) || version=
    case $version in
      3.13.*) return ;;
      "") tried="$tried, $found_python (does not run, or cannot make virtual environments)" ;;
      *) tried="$tried, $found_python (is $version)" ;;
    esac
  done
  tell "Python 3.13 with its venv module is missing: the tools need it. Tried ${tried#, }." \
    "Install one, or name it: PYTHON=/path/to/python3.13"
}

find_jdk() {
  home=$(/usr/libexec/java_home -v 17+ 2>/dev/null) || home= # on macOS
  tried=
  for java in ${JAVA_HOME:+"$JAVA_HOME/bin/java"} java ${home:+"$home/bin/java"}; do
    says=$("$java" -XshowSettings:properties -version 2>&1) || says=
    found_jdk=$(echo "$says" | sed -n 's/^ *java\.home = //p')
    version=$(echo "$says" | sed -n 's/^ *java\.specification\.version = \([0-9]*\).*/\1/p')
    [ "${version:-0}" -lt 17 ] || return 0
    tried="$tried, $java (${version:+is }${version:-does not run})"
  done
  tell "Java 17 or newer is missing: DynamoDB Local and openapi-generator need it. Tried ${tried#, }. Install a JDK, or set JAVA_HOME."
}

mkdir -p .local/tools
unset MAKEFLAGS MAKELEVEL # of the make that runs this script: its jobs are its own
make -q -f localstack/tools/tools.mk "$@" && exit

find_python
case " $* " in *" tools "* | *" clients-tools "*)
  find_jdk
  command -v mvn >/dev/null ||
    tell "Maven is missing: DynamoDB Local and openapi-generator are fetched by it. Install Maven 3.8 or newer, and have mvn on the PATH."
  ;;
esac
case " $* " in *-tools\ *)
  command -v go >/dev/null || tell "Go is missing. Install Go 1.26 or newer from go.dev."
  ;;
esac
[ -z "$missing" ] || exit 1

# Two installations at once would break each other. The lock belongs to the open file, which
# make and all programs below it inherit. So it ends with the last of them, even after a kill.
exec 9>.local/tools/lock
"$found_python" -c 'import fcntl
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("waiting for another installation to end ...", flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)'
export found_python found_jdk
exec make -s -j4 -f localstack/tools/tools.mk "$@"
