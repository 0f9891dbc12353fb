# shellcheck shell=bash
# Sourced by what gets packages of other Debian releases: with package lists of its own, so that nothing of this
# machine's apt changes, and nothing is installed. The mirrors are those of this machine's apt, or $DEBIAN_MIRROR and
# $DEBIAN_SECURITY_MIRROR.

# cache_open FOLDER: sets $cache, this folder of $WHOCALLS_CACHE, and $work, an empty one in it. Until this process ends
# no other has them, so what a killed one left goes.
cache_open() {
  cache=${WHOCALLS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/whocalls}/$1
  work=$cache/work
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  rm -rf "$work"
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# apt_suites FOLDER SUITE[,SUITE...] [ARCHITECTURE [TYPES]]: sets $APT, the options for apt-get and apt-cache, and gets
# these suites' lists. Of several suites one may be gone; FOLDER/update.log tells. TYPES: `deb`, or `deb deb-src` for
# sources, too.
apt_suites() {
  local folder=$1 suite type repositories archive security mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
  # shellcheck disable=SC2016 # apt's own form
  repositories=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | sort -u || true)
  archive=${DEBIAN_MIRROR:-$(grep -E '/debian/?$' <<<"$repositories" | head -n 1 || true)}
  security=${DEBIAN_SECURITY_MIRROR:-$(grep -E 'debian-security/?$' <<<"$repositories" | head -n 1 || true)}
  mkdir -p "$folder"/{state/lists/partial,cache/archives/partial}
  for suite in ${2//,/ }; do
    mirror=$archive
    [[ $suite != *-security ]] || mirror=$security
    for type in ${4:-deb}; do
      [[ -z $mirror ]] || echo "$type [signed-by=$keys] $mirror $suite main"
    done
  done >"$folder/sources.list"
  APT=(-qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State=$folder/state"
    -o Dir::State::status=/dev/null -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none
    -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o Acquire::Check-Valid-Until=false)
  [[ -z ${3-} ]] || APT+=(-o "APT::Architecture=$3" -o "APT::Architectures=$3")
  if [[ -s $folder/sources.list ]]; then
    timeout 300 apt-get "${APT[@]}" update >"$folder/update.log" 2>&1 || true
  else
    echo "this machine's apt has no mirror of Debian; DEBIAN_MIRROR may name one" >"$folder/update.log"
  fi
}

# apt_version PACKAGE: the newest of these suites, or nothing.
apt_version() {
  apt-cache "${APT[@]}" show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Version: //p' | head -n 1 || true
}

# apt_source_version PACKAGE: the newest source of these suites, or nothing.
apt_source_version() {
  apt-cache "${APT[@]}" showsrc --only-source "$1" 2>/dev/null | sed -n 's/^Version: //p' | sort -V | tail -n 1 || true
}

# apt_needs PACKAGE...: these packages and all that they depend on, PACKAGE=VERSION each.
apt_needs() {
  apt-get "${APT[@]}" --simulate --no-install-recommends install "$@" | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p'
}

# apt_unpack FOLDER PACKAGE...: what these packages have, into FOLDER. Links that are folders there stay.
apt_unpack() {
  local folder=$1 deb
  shift
  mkdir -p "$folder/debs"
  (cd "$folder/debs" && timeout 600 apt-get "${APT[@]}" download "$@" >&2) || return
  for deb in "$folder"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$folder" || return
  done
  rm -r "$folder/debs"
}
